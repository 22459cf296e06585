//! Sessions that are played at once from a buffer.

use serde_json::{Value, json};
use standfast_lsp::{Server, Settings, serve};

const URI: &str = "file:///nowhere/keepalived.conf";

const TEXT: &str = "\
$IF=eth0 # ü🦀
@node-a $X=\\
  a { b }\\
include {a,b}.conf
~LST({i, j}, {1, 2}) vrrp_script s$i { script \"/bin/x $j\" }
vrrp_instance V {
    interface $IF
    use_vmac vrrp.1 netlink_notify_msg
    track_script { s1 weight 5 reverse
    }
    virtual_ipaddress { 192.0.2.1/24 dev ${IF} label a:1 }
}
virtual_server group G { real_server 192.0.2.9 80 { TCP_CHECK { connect_port 80 } }
}
";

fn call(id: usize, method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
}

fn tell(method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "method": method, "params": params })
}

fn opened(text: &str) -> Value {
    let document = json!({ "uri": URI, "languageId": "keepalived", "version": 1, "text": text });
    tell("textDocument/didOpen", json!({ "textDocument": document }))
}

fn changed(change: Value) -> Value {
    let document = json!({ "uri": URI, "version": 2 });
    tell("textDocument/didChange", json!({ "textDocument": document, "contentChanges": [change] }))
}

/// A server that is past its greeting.
fn server() -> Server {
    let mut server = Server::new(Settings::default());
    server.handle(call(0, "initialize", json!({})).to_string().as_bytes());
    server.drain();
    server
}

/// What comes back for a message.
fn answers(server: &mut Server, message: &Value) -> Vec<Value> {
    server.handle(message.to_string().as_bytes());
    server.publish();
    server.drain()
}

#[test]
fn every_question_about_every_unfinished_text_gets_an_answer() {
    let mut server = server();
    answers(&mut server, &opened(""));
    let ends = TEXT.char_indices().map(|(at, _)| at).chain([TEXT.len()]);
    for end in ends {
        let text = TEXT.get(..end).unwrap_or_default();
        answers(&mut server, &changed(json!({ "text": text })));
        let line = text.matches('\n').count();
        let character = text.rsplit('\n').next().unwrap_or_default().encode_utf16().count();
        let place = json!({ "line": line, "character": character });
        let params = json!({
            "textDocument": { "uri": URI },
            "position": place,
            "range": { "start": { "line": 0, "character": 0 }, "end": place },
        });
        for method in
            ["completion", "hover", "definition", "documentSymbol", "codeAction", "formatting"]
        {
            let question = call(end, &format!("textDocument/{method}"), params.clone());
            let answers = answers(&mut server, &question);
            assert!(answers.len() == 1 && answers.iter().all(|answer| answer["error"].is_null()));
        }
    }
}

#[test]
fn a_change_of_any_range_leaves_a_text_that_can_be_checked() {
    let mut server = server();
    answers(&mut server, &opened(TEXT));
    for step in 0..200_usize {
        let start = json!({ "line": step * 7 % 20, "character": step * 31 % 50 });
        let end = json!({ "line": step * 11 % 20, "character": step * 17 % 50 });
        let text = ["}", "{ ", "\n🦀", "\"", "$IF", ""].get(step % 6);
        let change = json!({ "range": { "start": start, "end": end }, "text": text });
        let published = answers(&mut server, &changed(change));
        assert_eq!(published.len(), 1, "{published:?}");
    }
}

#[test]
fn findings_wait_while_more_is_to_be_read() {
    let messages = [
        call(1, "initialize", json!({})),
        opened("nonsense\n"),
        changed(json!({ "text": "more nonsense\n" })),
        changed(json!({ "text": "" })),
    ];
    let mut input = String::new();
    for message in &messages {
        let body = message.to_string();
        input.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
    }
    let mut output = Vec::new();
    let orderly = serve(input.as_bytes(), &mut output, Settings::default()).unwrap();
    assert!(!orderly, "there was no shutdown");
    let output = String::from_utf8(output).unwrap();
    assert_eq!(output.matches("publishDiagnostics").count(), 1);
    assert!(output.contains("SF0811") && !output.contains("SF0201"), "only of the last text");
}
