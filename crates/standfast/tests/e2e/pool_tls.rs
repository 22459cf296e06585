//! Checks through TLS: whom they believe, and why not.

use std::fmt::Write as _;

use standfast_lab::stage::pause;

use crate::common::{in_sandbox, network, run, seconds, wait_for};

const OPENSSL: &str = "/usr/bin/openssl";
/// A certificate that has expired long ago, of an authority that it is itself.
const MAKE: &str = "mkdir -p /tmp/tls && cd /tmp/tls && : > index && echo 01 > serial && \
    printf '[ca]\\ndefault_ca=d\\n[d]\\ndir=/tmp/tls\\ndatabase=$dir/index\\nserial=$dir/serial\\n\
new_certs_dir=$dir\\ndefault_md=sha256\\npolicy=p\\nx509_extensions=e\\n[p]\\ncommonName=supplied\\n\
[e]\\nsubjectAltName=DNS:a.example\\n' > ca.cnf && \
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out r.pem \
      -subj /CN=a.example && \
    openssl ca -config ca.cnf -selfsign -batch -notext -in r.pem -keyfile key.pem -out cert.pem \
      -startdate 20200101000000Z -enddate 20200301000000Z";

fn service(port: u16, server: u16, lines: &str) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "virtual_server 10.83.0.100 {port} {{\n delay_loop 2\n lb_algo rr\n lb_kind NAT\n protocol TCP\n \
         real_server 10.83.0.11 {server} {{\n SSL_GET {{\n connect_timeout 2\n warmup 0\n {lines}\n \
         url {{\n path /\n status_code 200\n }}\n }}\n }}\n}}"
    );
    text
}

#[test]
fn an_expired_certificate_is_good_enough_unless_it_is_verified() {
    let name = "pool_tls::an_expired_certificate_is_good_enough_unless_it_is_verified";
    in_sandbox(name, &[OPENSSL], || {
        let mut stage =
            network(&[("lb", "eth0", "10.83.0.1/24"), ("s1", "eth0", "10.83.0.11/24")])?;
        run(&mut stage, "s1", MAKE)?;
        for (port, more) in [("8443", "-tls1_3"), ("8442", "-tls1_2"), ("8441", "-tls1_1")] {
            let files = ["-cert", "/tmp/tls/cert.pem", "-key", "/tmp/tls/key.pem"];
            let mut argv = vec![OPENSSL, "s_server", "-www", "-accept", port, more];
            argv.extend(files);
            argv.extend(["-cipher", "DEFAULT:@SECLEVEL=0"]);
            stage.start("s1", port, &argv)?;
        }
        stage.start_web("s1")?;
        // They have no way of saying that they listen.
        pause(seconds(1));
        let mut text = "global_defs {\n lvs_data_plane nftables\n script_user root\n}\n".to_owned();
        text += &service(1, 8443, "");
        text += &service(2, 8442, "");
        text += &service(3, 8441, "");
        text += &service(4, 80, "");
        text += &service(5, 8443, "tls_verify\n enable_sni\n sni_name a.example");
        text += &service(6, 8443, "tls_verify\n enable_sni\n sni_name b.example");
        stage.start_standfast("lb", &text)?;
        let mut said = Vec::new();
        let wanted = [
            (3, "neither TLS 1.2 nor 1.3"),
            (4, "the answer is not TLS"),
            (5, "certificate expired "),
            (5, " days ago"),
            (6, "certificate "),
        ];
        wait_for(&mut stage, "every reason is said", seconds(5), |stage| {
            said.extend(stage.log("lb", "daemon")?);
            Ok(wanted.iter().all(|(port, words)| about(&said, *port, words)))
        })
        .map_err(|error| anyhow::anyhow!("{error}: {}", said.join("\n")))?;
        for port in [1, 2] {
            anyhow::ensure!(!about(&said, port, "DOWN") && !about(&said, port, "Bad("), "{said:?}");
        }
        Ok(())
    });
}

/// Whether a line about the service at this port says so.
fn about(lines: &[String], port: u16, words: &str) -> bool {
    let service = format!("[10.83.0.100]:tcp:{port}");
    lines.iter().any(|line| line.contains(&service) && line.contains(words))
}
