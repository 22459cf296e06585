//! A real nginx on a node, where one is installed on this machine.

use std::{path::Path, time::Duration};

use crate::stage::Stage;

/// Where scripts written for an nginx built from source look for it. On a node, a script that starts the
/// machine's own.
pub const NGINX: &str = "/usr/local/nginx/sbin/nginx";
/// Where Debian has it.
const INSTALLED: &str = "/usr/sbin/nginx";
const CONFIGURATION: &str = "\
worker_processes 1;
user root;
pid /tmp/nginx/nginx.pid;
events { worker_connections 1024; }
http {
    access_log off;
    client_body_temp_path /tmp/nginx/body;
    proxy_temp_path /tmp/nginx/proxy;
    fastcgi_temp_path /tmp/nginx/fastcgi;
    uwsgi_temp_path /tmp/nginx/uwsgi;
    scgi_temp_path /tmp/nginx/scgi;
    server {
        listen 80;
        root /tmp/nginx/html;
        index index.html;
    }
}
";
const START: &str = "#!/bin/sh\n\
    exec /usr/sbin/nginx -p /tmp/nginx/ -e /tmp/nginx/error.log -c /tmp/nginx/nginx.conf \"$@\"\n";

/// Whether this machine has nginx.
#[must_use]
pub fn has_nginx() -> bool {
    Path::new(INSTALLED).exists()
}

impl Stage {
    /// Installs nginx on a node, to be started by [`NGINX`]. `/` and `/login.html` are the node's name.
    ///
    /// # Errors
    /// A file can't be written.
    pub fn install_nginx(&mut self, name: &str) -> anyhow::Result<()> {
        let node = self.topology.node(name)?;
        node.write_file("/tmp/nginx/nginx.conf".as_ref(), CONFIGURATION.as_bytes())?;
        for page in ["index.html", "login.html"] {
            let path = Path::new("/tmp/nginx/html").join(page);
            node.write_file(&path, format!("{name}\n").as_bytes())?;
        }
        node.make_directory(Path::new(NGINX).parent().unwrap_or(Path::new("/")))?;
        self.repair_nginx(name)
    }

    /// Installs its program again, after [`Self::break_nginx`].
    ///
    /// # Errors
    /// It can't be written.
    pub fn repair_nginx(&mut self, node: &str) -> anyhow::Result<()> {
        Ok(self.topology.node(node)?.write_program(NGINX.as_ref(), START.as_bytes())?)
    }

    /// Kills nginx, which cannot be started again.
    ///
    /// # Errors
    /// A command can't be run.
    pub fn break_nginx(&mut self, node: &str) -> anyhow::Result<()> {
        let broken = "#!/bin/sh\necho it is broken >&2\nexit 1\n";
        self.topology.node(node)?.write_program(NGINX.as_ref(), broken.as_bytes())?;
        self.stop_nginx(node)
    }

    /// Starts nginx and waits until it serves.
    ///
    /// # Errors
    /// It does not start.
    pub fn start_nginx(&mut self, node: &str) -> anyhow::Result<()> {
        let (code, said) = self.run(node, &[NGINX])?;
        anyhow::ensure!(code == 0, "nginx on {node}: {said:?}");
        let program = self.program().display().to_string();
        let fetch = [program.as_str(), crate::HELPER_ARGUMENT, "fetch", "127.0.0.1:80"];
        let serves =
            self.wait_until(Duration::from_secs(3), |stage| Ok(stage.run(node, &fetch)?.0 == 0))?;
        anyhow::ensure!(serves, "nginx on {node} does not serve");
        Ok(())
    }

    /// Kills nginx.
    ///
    /// # Errors
    /// There is no `killall`.
    pub fn stop_nginx(&mut self, node: &str) -> anyhow::Result<()> {
        self.run(node, &["killall", "-q", "-9", "nginx"])?;
        Ok(())
    }
}
