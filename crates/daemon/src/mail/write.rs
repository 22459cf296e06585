//! What a mail says: keepalived's subject, which filters know, and then why.

use std::time::Duration;

use standfast_conf::Mail as Config;

use super::dialogue::Letter;
use crate::{
    calendar::mail_date,
    news::{self, News, Subject},
};

/// The letter about a change of state; `None` when nobody wants one. `words` is what the log says of it.
pub(crate) fn letter(
    config: &Config,
    news: &News,
    words: &str,
    host: &str,
    since_epoch: Duration,
) -> Option<Letter> {
    let (title, meaning) = content(config, news, words)?;
    let sender = config.from.clone().unwrap_or_else(|| format!("root@{host}"));
    let router = config.router_id.as_deref().unwrap_or(host);
    let date = mail_date(since_epoch);
    let to = config.recipients.join(", ");
    let title = header(&format!("[{router}] {title}"));
    let from = header(&sender);
    let text = format!(
        "Date: {date}\nFrom: {from}\nSubject: {title}\nX-Mailer: Standfast\nTo: {to}\n\
         MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nAuto-Submitted: auto-generated\n\n\
         {meaning}\n",
        to = header(&to),
    );
    Some(Letter {
        helo: config.helo.clone().unwrap_or_else(|| host.to_owned()),
        sender: bare(&sender).to_owned(),
        recipients: config.recipients.iter().map(|address| bare(address).to_owned()).collect(),
        text,
    })
}

/// Subject and text.
fn content(config: &Config, news: &News, words: &str) -> Option<(String, String)> {
    let News { subject, word, .. } = news;
    let (what, meaning) = match subject {
        Subject::Service(name) => {
            let title = format!("Virtualserver {} - {word}", news::service(name));
            return Some((title, format!("=> {words} <=")));
        }
        Subject::Server(id, transport) => {
            let (server, service) = (news::server(id, *transport), news::service(&id.service));
            let title = format!("Realserver {server} of virtual server {service} - {word}");
            return Some((title, format!("=> {words} <=")));
        }
        Subject::Instance(_) if *word == "MASTER" => {
            ("Instance", "VRRP Instance is now owning VRRP VIPs".to_owned())
        }
        Subject::Instance(_) => {
            ("Instance", "VRRP Instance is no longer owning VRRP VIPs".to_owned())
        }
        Subject::Group(_) => ("Group", format!("All VRRP group instances are now in {word} state")),
    };
    let wanted = match *word {
        "MASTER" | "BACKUP" => true,
        "FAULT" => !config.no_faults,
        _ => false,
    };
    let title = format!("VRRP {what} {subject} - Entering {word} state");
    wanted.then(|| (title, format!("=> {meaning} <=\n\n{words}")))
}

/// A header's value, which must not begin another header.
fn header(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect()
}

/// The address in `Name <address>`.
fn bare(text: &str) -> &str {
    match text.rsplit_once('<').and_then(|(_, rest)| rest.split_once('>')) {
        Some((address, _)) => address,
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        Config {
            recipients: vec!["a@example.net".to_owned(), "B <b@example.net>".to_owned()],
            from: None,
            server: "127.0.0.1".to_owned(),
            port: 25,
            helo: None,
            timeout: Duration::from_secs(1),
            router_id: Some("r1\nBcc: x".to_owned()),
            no_faults: true,
        }
    }

    fn news(word: &'static str) -> News {
        News { subject: Subject::Instance("VI_1".into()), word, priority: 100 }
    }

    #[test]
    fn a_letter_has_keepaliveds_subject_and_the_reason_and_no_header_that_a_name_smuggles_in() {
        let words = "VI_1: BACKUP -> MASTER: no advert for 3 s";
        let letter = letter(&config(), &news("MASTER"), words, "host", Duration::ZERO);
        let letter = letter.expect("a letter");
        assert_eq!(letter.recipients, ["a@example.net", "b@example.net"]);
        assert_eq!((letter.sender.as_str(), letter.helo.as_str()), ("root@host", "host"));
        let (headers, text) = letter.text.split_once("\n\n").expect("headers and text");
        assert!(
            headers.contains("\nSubject: [r1 Bcc: x] VRRP Instance VI_1 - Entering MASTER state\n")
        );
        assert!(!headers.contains("\nBcc"));
        assert_eq!(text, format!("=> VRRP Instance is now owning VRRP VIPs <=\n\n{words}\n"));
    }

    #[test]
    fn a_group_is_mailed_about_as_one() {
        let news = News { subject: Subject::Group("G".into()), word: "BACKUP", priority: 0 };
        let letter = letter(&config(), &news, "", "host", Duration::ZERO).expect("a letter");
        assert!(letter.text.contains("VRRP Group G - Entering BACKUP state\n"));
        assert!(letter.text.contains("=> All VRRP group instances are now in BACKUP state <=\n"));
    }

    #[test]
    fn faults_are_left_out_where_nobody_wants_them_and_priorities_are_no_state() {
        for word in ["FAULT", "STOP", "MASTER_PRIORITY", "MASTER_RX_LOWER_PRI"] {
            assert_eq!(letter(&config(), &news(word), "", "host", Duration::ZERO), None);
        }
        let config = Config { no_faults: false, ..config() };
        assert!(letter(&config, &news("FAULT"), "", "host", Duration::ZERO).is_some());
    }

    #[test]
    fn mails_about_servers_have_keepaliveds_subjects() {
        let key = standfast_types::DestinationKey { address: [10, 1, 0, 1].into(), port: 80 };
        let service = standfast_types::ServiceName::from("[10.0.0.1]:tcp:80");
        let id = standfast_balance::ServerId { service: service.clone(), key };
        let server = Subject::Server(id, standfast_types::Transport::Tcp);
        let text = |subject, word| {
            let news = News { subject, word, priority: 0 };
            letter(&config(), &news, "because", "host", Duration::ZERO).expect("a letter").text
        };
        let subject = "Realserver [10.1.0.1]:tcp:80 of virtual server [10.0.0.1]:tcp:80 - DOWN\n";
        assert!(text(server, "DOWN").contains(subject));
        let text = text(Subject::Service(service), "UP");
        assert!(text.contains("Virtualserver [10.0.0.1]:tcp:80 - UP\n"));
        assert!(text.ends_with("\n\n=> because <=\n"));
    }
}
