//! Called `genhash`, or `keepalived --genhash`: the MD5 of a page, with genhash's own options and output.

use std::{fmt::Write as _, net::SocketAddr, time::Duration};

use lexopt::{Arg, Parser, ValueExt};
use standfast_health::{HttpProtocol, Tls};
use standfast_kernel::clock;

use crate::{
    digest::{Ask, hexadecimal},
    print, say,
};

/// The name that brings this personality.
pub(crate) const NAME: &str = "genhash";

/// Wrong options, or no page.
const FAILED: u8 = 1;
const PORT: u16 = 80;
const PORT_TLS: u16 = 443;
const SECONDS: u64 = 5;
/// What `--verbose` shows of an answer at most.
const SHOWN: usize = 1 << 20;

const USAGE: &str = "\
Usage: genhash -s ADDRESS [-p PORT] -u URL [OPTION...]   (this is Standfast, in place of keepalived)

  -S, --use-ssl               TLS
  -I, --use-sni               tell the server the name of -V in TLS
  -s, --server=ADDRESS        the server's address
  -p, --port=PORT             its port (80, or 443 with -S)
  -u, --url=PATH              path of the page
  -V, --use-virtualhost=NAME  what the server is told to be called
  -P, --protocol=VERSION      1.0, 1.0c (asks to close the connection) or 1.1
  -m, --fwmark=MARK           firewall mark of the connection
  -t, --timeout=SECONDS       how long is waited (5)
  -v, --verbose               show the answer as well
  -h, --help                  this text

`standfast digest URL` does the same with a URL.
";

/// Runs as genhash would. The exit code.
pub(crate) fn main(parser: Parser) -> anyhow::Result<u8> {
    match parse(parser) {
        Ok(Some(task)) => run(&task),
        Ok(None) => print(USAGE).map(|()| 0),
        Err(error) => {
            say(&format!("genhash: {error:#}\n\n{}", USAGE.trim_end()));
            Ok(FAILED)
        }
    }
}

struct Task {
    ask: Ask,
    verbose: bool,
}

/// `None` asks for help.
fn parse(mut parser: Parser) -> anyhow::Result<Option<Task>> {
    let (mut server, mut port, mut path, mut host) = (None, None, None, None);
    let (mut tls, mut sni, mut verbose, mut mark, mut seconds) = (false, false, false, 0, SECONDS);
    let mut protocol = HttpProtocol::Http10;
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Short('S') | Arg::Long("use-ssl") => tls = true,
            Arg::Short('I') | Arg::Long("use-sni") => sni = true,
            Arg::Short('v') | Arg::Long("verbose") => verbose = true,
            Arg::Short('h') | Arg::Long("help") => return Ok(None),
            Arg::Short('s') | Arg::Long("server") => {
                let text = parser.value()?.string()?;
                let address = text.trim_matches(['[', ']']).parse();
                server = Some(address.map_err(|_| anyhow::anyhow!("no address: {text}"))?);
            }
            Arg::Short('p') | Arg::Long("port") => port = Some(parser.value()?.parse()?),
            Arg::Short('u') | Arg::Long("url") => path = Some(parser.value()?.string()?),
            Arg::Short('V') | Arg::Long("use-virtualhost") => {
                host = Some(parser.value()?.string()?)
            }
            Arg::Short('m') | Arg::Long("fwmark") => mark = parser.value()?.parse()?,
            Arg::Short('t') | Arg::Long("timeout") => seconds = parser.value()?.parse()?,
            Arg::Short('P') | Arg::Long("protocol") => {
                protocol = match parser.value()?.string()?.as_str() {
                    "1.0" => HttpProtocol::Http10,
                    "1.0c" | "1.0C" => HttpProtocol::Http10Close,
                    "1.1" => HttpProtocol::Http11,
                    other => anyhow::bail!("no version of HTTP: {other}"),
                };
            }
            Arg::Short(_) | Arg::Long(_) | Arg::Value(_) => return Err(arg.unexpected().into()),
        }
    }
    let (Some(server), Some(path)) = (server, path) else {
        anyhow::bail!("-s and -u say which page it is about");
    };
    let name = host.as_deref().filter(|_| sni).map(Into::into);
    let ask = Ask {
        server: SocketAddr::new(server, port.unwrap_or(if tls { PORT_TLS } else { PORT })),
        tls: tls.then_some(Tls { name, verify: false }),
        protocol,
        path,
        host,
        status: (0, u16::MAX),
        mark,
        timeout: Duration::from_secs(seconds.max(1)),
    };
    Ok(Some(Task { ask, verbose }))
}

fn run(task: &Task) -> anyhow::Result<u8> {
    let Task { ask, verbose } = task;
    let mut answer = Vec::new();
    let begun = clock::now();
    let outcome = ask.digest(&mut |bytes| {
        let room = if *verbose { SHOWN.saturating_sub(answer.len()) } else { 0 };
        answer.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    });
    let took = clock::now().saturating_since(begun).as_micros();
    let md5 = match outcome {
        Ok(md5) => md5,
        Err(failure) => {
            say(&format!("genhash: {}: {failure}", ask.server));
            return Ok(FAILED);
        }
    };
    let mut text = String::new();
    if *verbose {
        show(&mut text, &answer, &md5)?;
    }
    writeln!(text, "{}", hexadecimal(&md5))?;
    if *verbose {
        writeln!(text, "\nGlobal response time for [{}] = {took} usecs", ask.path)?;
    }
    print(&text).map(|()| 0)
}

fn show(text: &mut String, answer: &[u8], md5: &[u8]) -> anyhow::Result<()> {
    let end = b"\r\n\r\n";
    let header = answer.windows(end.len()).position(|bytes| bytes == end);
    let (header, body) = answer.split_at(header.map_or(answer.len(), |at| at + end.len()));
    writeln!(text, "{}", title("HTTP Header Buffer", 26))?;
    dump(text, header)?;
    writeln!(text, "{}", title("HTTP Header Ascii Buffer", 26))?;
    writeln!(text, "{}", String::from_utf8_lossy(header))?;
    writeln!(text, "{}", title("HTML Buffer", 27))?;
    dump(text, body)?;
    writeln!(text, "\n{}", title("HTML hash resulting", 27))?;
    dump(text, md5)?;
    writeln!(text, "{}", title("HTML hash final resulting", 27))?;
    Ok(())
}

fn title(words: &str, width: usize) -> String {
    format!("-----------------------[{words:^width$}]-----------------------")
}

/// Sixteen bytes a line: numbers, then characters.
fn dump(text: &mut String, bytes: &[u8]) -> anyhow::Result<()> {
    for (line, bytes) in bytes.chunks(16).enumerate() {
        let mut numbers = String::new();
        for at in 0..16 {
            if at == 8 {
                numbers.push_str("- ");
            }
            match bytes.get(at) {
                Some(byte) => write!(numbers, "{byte:02x} ")?,
                None => numbers.push_str("   "),
            }
        }
        let characters = bytes.iter().map(|&byte| match byte {
            b' '..=b'~' => char::from(byte),
            _ => '.',
        });
        let characters: String = characters.collect();
        writeln!(text, "{:04}  {numbers}  {characters:<16}", line.saturating_mul(16))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(args: &[&str]) -> Ask {
        parse(Parser::from_args(args)).expect("options").expect("a task").ask
    }

    #[test]
    fn the_options_are_genhashs() {
        let plain = ask(&["-s", "192.0.2.1", "-p", "8080", "-u", "/a"]);
        assert_eq!(plain.server, "192.0.2.1:8080".parse().expect("an address"));
        assert!(plain.tls.is_none() && plain.protocol == HttpProtocol::Http10);
        let all = "-S -I -V www.example --server=2001:db8::1 -u / -P 1.0c -m 7 -t 3 -v";
        let all = ask(&all.split(' ').collect::<Vec<_>>());
        assert_eq!(all.server, "[2001:db8::1]:443".parse().expect("an address"));
        assert_eq!(all.tls.and_then(|tls| tls.name).as_deref(), Some("www.example"));
        assert_eq!((all.mark, all.timeout.as_secs()), (7, 3));
        assert!(all.protocol == HttpProtocol::Http10Close);
        for wrong in ["", "-s name -u /", "-s 192.0.2.1", "-s 192.0.2.1 -u / -P 3", "-Q"] {
            let wrong: Vec<_> = wrong.split_whitespace().collect();
            assert!(parse(Parser::from_args(&wrong)).is_err(), "{wrong:?}");
        }
    }

    /// As keepalived 2.2.7 prints it.
    #[test]
    fn an_answer_is_dumped_as_genhash_does() {
        let mut text = String::new();
        show(&mut text, b"HTTP/1.0 200 OK\r\n\r\nhi", b"").expect("shown");
        let expected = "\
-----------------------[    HTTP Header Buffer    ]-----------------------
0000  48 54 54 50 2f 31 2e 30 - 20 32 30 30 20 4f 4b 0d   HTTP/1.0 200 OK.
0016  0a 0d 0a                -                           ...             
-----------------------[ HTTP Header Ascii Buffer ]-----------------------
HTTP/1.0 200 OK\r
\r

-----------------------[        HTML Buffer        ]-----------------------
0000  68 69                   -                           hi              
";
        assert!(text.starts_with(expected), "{text}");
    }
}
