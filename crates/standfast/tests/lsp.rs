//! `standfast lsp`: an editor's session with the real program over pipes.

#![expect(clippy::indexing_slicing, reason = "a JSON value that is missing reads as null")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use serde_json::{Value, json};

/// The editor's side.
struct Editor {
    server: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    next: i64,
}

impl Editor {
    fn start() -> Self {
        let mut server = Command::new(env!("CARGO_BIN_EXE_standfast"))
            .args(["lsp", "--stdio", "-i", "node-a"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it runs");
        let to = server.stdin.take().expect("piped");
        let from = BufReader::new(server.stdout.take().expect("piped"));
        Self { server, to, from, next: 0 }
    }

    /// A session that is past its greeting.
    fn greeted(encodings: &[&str]) -> Self {
        let mut editor = Self::start();
        let general = json!({ "positionEncodings": encodings });
        let params = json!({ "processId": null, "capabilities": { "general": general } });
        let result = editor.ask("initialize", params);
        let chosen = if encodings.contains(&"utf-8") { "utf-8" } else { "utf-16" };
        assert_eq!(result["capabilities"]["positionEncoding"], chosen);
        editor.tell("initialized", json!({}));
        editor
    }

    fn send(&mut self, body: &str) {
        write!(self.to, "Content-Length: {}\r\n\r\n{body}", body.len()).expect("sent");
        self.to.flush().expect("sent");
    }

    fn receive(&mut self) -> Value {
        let mut length = 0;
        loop {
            let mut line = String::new();
            assert_ne!(self.from.read_line(&mut line).expect("read"), 0, "the server is gone");
            match line.trim().strip_prefix("Content-Length: ") {
                Some(number) => length = number.parse().expect("a number"),
                None if line.trim().is_empty() => break,
                None => assert!(line.starts_with("Content-"), "{line}"),
            }
        }
        let mut body = vec![0; length];
        self.from.read_exact(&mut body).expect("read");
        serde_json::from_slice(&body).expect("JSON")
    }

    fn tell(&mut self, method: &str, params: Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }).to_string());
    }

    /// The whole response to a request; what comes before it is passed over.
    fn response(&mut self, method: &str, params: Value) -> Value {
        self.next += 1;
        let id = self.next;
        let message = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        self.send(&message.to_string());
        loop {
            let message = self.receive();
            if message["id"] == id {
                return message;
            }
        }
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        let response = self.response(method, params);
        assert!(response["error"].is_null(), "{response}");
        response["result"].clone()
    }

    /// Asks about a place of a file.
    fn at(&mut self, method: &str, uri: &str, (line, character): (usize, usize)) -> Value {
        let position = json!({ "line": line, "character": character });
        let document = json!({ "uri": uri });
        self.ask(method, json!({ "textDocument": document, "position": position }))
    }

    fn open(&mut self, uri: &str, text: &str) {
        let document =
            json!({ "uri": uri, "languageId": "keepalived", "version": 1, "text": text });
        self.tell("textDocument/didOpen", json!({ "textDocument": document }));
    }

    fn change(&mut self, uri: &str, changes: Value) {
        let document = json!({ "uri": uri, "version": 2 });
        let params = json!({ "textDocument": document, "contentChanges": changes });
        self.tell("textDocument/didChange", params);
    }

    /// The findings of a file, as they are published next.
    fn findings(&mut self, uri: &str) -> Vec<Value> {
        loop {
            let message = self.receive();
            if message["method"] == "textDocument/publishDiagnostics"
                && message["params"]["uri"] == uri
            {
                return message["params"]["diagnostics"].as_array().expect("a list").clone();
            }
        }
    }

    fn completion(&mut self, uri: &str, place: (usize, usize)) -> Vec<String> {
        labels(&self.at("textDocument/completion", uri, place))
    }

    /// Where the definitions of the thing at a place start: files, lines and characters.
    fn definitions(&mut self, uri: &str, place: (usize, usize)) -> Vec<(String, u64, u64)> {
        let found = self.at("textDocument/definition", uri, place);
        let start = |location: &Value| {
            let start = &location["range"]["start"];
            let uri = location["uri"].as_str().expect("a URI").to_owned();
            let number = |value: &Value| value.as_u64().expect("a number");
            (uri, number(&start["line"]), number(&start["character"]))
        };
        found.as_array().expect("a list").iter().map(start).collect()
    }

    fn hover(&mut self, uri: &str, place: (usize, usize)) -> String {
        let hover = self.at("textDocument/hover", uri, place);
        hover["contents"]["value"].as_str().unwrap_or_default().to_owned()
    }

    /// Ends the session; the server's exit code.
    fn exit(mut self) -> Option<i32> {
        self.tell("exit", Value::Null);
        self.server.wait().expect("it ends").code()
    }
}

fn labels(items: &Value) -> Vec<String> {
    let items = items.as_array().expect("a list");
    items.iter().map(|item| item["label"].as_str().expect("a label").to_owned()).collect()
}

fn codes(findings: &[Value]) -> Vec<&str> {
    findings.iter().map(|found| found["code"].as_str().expect("a code")).collect()
}

fn uri(path: &Path) -> String {
    format!("file://{}", path.display())
}

const MAIN: &str = "file:///nowhere/keepalived.conf";

const TEXT: &str = "\
$IF=eth0
vrrp_script web {
    script \"/bin/true\"
}
vrrp_instance V1 {
    stat MASTER
    interface $IF
    virtual_router_id 5
    advert_int 1
    track_script {
        web weight 5
    }
    virtual_ipaddress {
        192.0.2.1/24
    }
}
vrrp_sync_group G {
    group {
        V1
    }
}
global_defs {
    smtp_alert on
}
";

#[test]
fn a_session_from_the_first_finding_to_a_clean_file() {
    let mut editor = Editor::greeted(&["utf-16"]);
    editor.open(MAIN, TEXT);
    let findings = editor.findings(MAIN);
    let misspelt = findings.iter().find(|found| found["code"] == "SF0201").expect("it is found");
    assert_eq!(misspelt["severity"], 2);
    assert_eq!(misspelt["range"]["start"], json!({ "line": 5, "character": 4 }));
    assert_eq!(misspelt["range"]["end"], json!({ "line": 5, "character": 8 }));
    let message = misspelt["message"].as_str().expect("text");
    assert!(message.contains("hint: write `state`"), "{message}");

    let range =
        json!({ "start": { "line": 5, "character": 5 }, "end": { "line": 5, "character": 5 } });
    let actions = editor.ask(
        "textDocument/codeAction",
        json!({ "textDocument": { "uri": MAIN }, "range": range, "context": { "diagnostics": [] } }),
    );
    assert_eq!(actions[0]["title"], "write `state`");
    let edit = actions[0]["edit"]["changes"][MAIN][0].clone();
    editor.change(MAIN, json!([{ "range": edit["range"], "text": edit["newText"] }]));
    assert!(!codes(&editor.findings(MAIN)).contains(&"SF0201"));

    let symbols =
        editor.ask("textDocument/documentSymbol", json!({ "textDocument": { "uri": MAIN } }));
    let names: Vec<_> = symbols.as_array().unwrap().iter().map(|symbol| &symbol["name"]).collect();
    assert_eq!(names, ["web", "V1", "G", "global_defs"]);

    assert_eq!(editor.ask("shutdown", Value::Null), Value::Null);
    assert_eq!(editor.exit(), Some(0));
}

#[test]
fn a_finding_names_the_other_places_that_matter() {
    let mut editor = Editor::greeted(&["utf-16"]);
    let script = "vrrp_script web {\n script /bin/true\n}\n";
    editor.open(MAIN, &format!("vrrp_instance V {{\n track_script {{\n  web\n }}\n}}\n{script}"));
    let findings = editor.findings(MAIN);
    let late = findings.iter().find(|found| found["code"] == "SF0402").expect("it is found");
    assert_eq!(late["source"], "standfast");
    let related = &late["relatedInformation"][0];
    assert_eq!(related["message"], "defined here, too late");
    assert_eq!(related["location"]["uri"], MAIN);
    assert_eq!(related["location"]["range"]["start"], json!({ "line": 5, "character": 12 }));
}

#[test]
fn completion_offers_what_is_valid_at_the_place() {
    let mut editor = Editor::greeted(&["utf-16"]);
    editor.open(MAIN, TEXT);
    let in_instance = editor.completion(MAIN, (5, 6));
    assert!(in_instance.contains(&"virtual_router_id".to_owned()));
    assert!(!in_instance.contains(&"real_server".to_owned()));
    assert!(!in_instance.contains(&"vrrp_script".to_owned()));
    assert!(editor.completion(MAIN, (0, 0)).is_empty(), "a definition begins behind it");
    let outside = editor.completion(MAIN, (15, 1));
    assert!(outside.contains(&"virtual_server".to_owned()), "{outside:?}");
    assert!(!outside.contains(&"virtual_router_id".to_owned()));
    assert!(editor.completion(MAIN, (5, 12)).is_empty(), "`stat` is no keyword");
    let line =
        json!({ "start": { "line": 5, "character": 0 }, "end": { "line": 5, "character": 99 } });
    editor.change(MAIN, json!([{ "range": line, "text": "    state " }]));
    assert_eq!(editor.completion(MAIN, (5, 10)), ["MASTER", "BACKUP"]);
    assert_eq!(editor.completion(MAIN, (6, 15))[0], "IF");
    assert_eq!(editor.completion(MAIN, (10, 9)), ["web"]);
    assert_eq!(editor.completion(MAIN, (10, 12)), ["reverse", "noreverse", "weight"]);
    assert!(editor.completion(MAIN, (10, 19)).is_empty(), "a number has no proposals");
    assert_eq!(editor.completion(MAIN, (18, 8)), ["V1"]);
    assert!(editor.completion(MAIN, (22, 16)).contains(&"yes".to_owned()));
}

#[test]
fn completion_works_in_a_file_that_is_being_written() {
    let mut editor = Editor::greeted(&["utf-16"]);
    let text = "vrrp_script chk {\n script \"x\n\nvrrp_instance A {\n track_script {\n  \n}\nvrrp_instance B {\n st";
    editor.open(MAIN, text);
    assert_eq!(editor.completion(MAIN, (5, 2)), ["chk"]);
    assert!(editor.completion(MAIN, (8, 3)).contains(&"state".to_owned()));
    for line in 0..10 {
        for character in 0..20 {
            for method in ["completion", "hover", "definition"] {
                editor.at(&format!("textDocument/{method}"), MAIN, (line, character));
            }
        }
    }
    let blank = json!({
        "textDocument": { "uri": MAIN },
        "position": { "line": 5, "character": 2 },
        "context": { "triggerKind": 2, "triggerCharacter": " " },
    });
    assert_eq!(editor.ask("textDocument/completion", blank), Value::Null, "an indentation");
}

#[test]
fn hover_explains_keywords_options_and_definitions() {
    let mut editor = Editor::greeted(&["utf-16"]);
    editor.open(MAIN, TEXT);
    let keyword = editor.hover(MAIN, (7, 6));
    assert!(keyword.contains("virtual_router_id NUMBER"), "{keyword}");
    assert!(keyword.contains("- 1 to 255"), "{keyword}");
    assert!(keyword.contains("- works"), "{keyword}");
    let option = editor.hover(MAIN, (10, 13));
    assert!(option.contains("- inherited from vrrp_script.weight"), "{option}");
    assert!(editor.hover(MAIN, (6, 16)).contains("$IF=eth0"));
    assert_eq!(editor.hover(MAIN, (3, 0)), "");
}

#[test]
fn definitions_are_found_across_files_and_buffers() {
    let folder = tempfile::tempdir().expect("a directory");
    let (main, part) = (folder.path().join("keepalived.conf"), folder.path().join("web.conf"));
    std::fs::write(&part, "vrrp_script web {\n}\n").expect("written");
    let text =
        format!("include web.conf\n{TEXT}").replace("vrrp_script web {", "vrrp_script other {");
    std::fs::write(&main, &text).expect("written");
    let (main, part) = (uri(&main), uri(&part));
    let mut editor = Editor::greeted(&["utf-16"]);
    editor.open(&main, &text);
    assert_eq!(editor.definitions(&main, (0, 10)), [(part.clone(), 0, 0)]);
    assert_eq!(editor.definitions(&main, (11, 9)), [(part.clone(), 0, 12)]);
    assert_eq!(editor.definitions(&main, (7, 16)), [(main.clone(), 1, 0)]);
    assert_eq!(editor.definitions(&main, (19, 9)), [(main.clone(), 5, 14)]);
    // What the buffer holds counts, not the disk.
    editor.open(&part, "\n\nvrrp_script web {\n}\n");
    assert_eq!(editor.definitions(&main, (11, 9)), [(part, 2, 12)]);
}

#[test]
fn a_fragment_is_checked_as_part_of_the_file_that_includes_it() {
    let folder = tempfile::tempdir().expect("a directory");
    let path = |name: &str| folder.path().join(name);
    let main =
        "vrrp_script web {\n script /bin/true\n}\nvrrp_instance V {\n include lines.conf\n}\n";
    let lines = "interface eth0\nvirtual_router_id 300\ntrack_script {\n web\n}\n";
    std::fs::write(path("keepalived.conf"), main).expect("written");
    std::fs::write(path("lines.conf"), lines).expect("written");
    std::fs::write(path("alone.conf"), lines).expect("written");
    let mut editor = Editor::greeted(&["utf-16"]);
    // The main file is found on the disk.
    let part = uri(&path("lines.conf"));
    editor.open(&part, lines);
    let findings = editor.findings(&part);
    assert_eq!(codes(&findings), ["SF0308"], "{findings:?}");
    assert!(editor.completion(&part, (0, 2)).contains(&"virtual_router_id".to_owned()));
    assert_eq!(editor.completion(&part, (3, 2)), ["web"]);
    // Blocks with an instance that no main file includes are a configuration of their own.
    let severity = |findings: &[Value], code: &str| {
        findings.iter().find(|found| found["code"] == code).map(|found| found["severity"].clone())
    };
    let blocks = uri(&path("blocks.conf"));
    let text = "vrrp_instance V {\n interface eth0\n virtual_router_id 300\n track_script {\n  web\n }\n}\n";
    editor.open(&blocks, text);
    let findings = editor.findings(&blocks);
    assert_eq!(severity(&findings, "SF0308"), Some(json!(2)));
    assert_eq!(severity(&findings, "SF0402"), Some(json!(2)));
    // Of blocks without any, what other files may hold is a hint.
    let scripts = uri(&path("scripts.conf"));
    editor.open(&scripts, "vrrp_script web {\n script nosuch/program\n fall 0\n}\n");
    let findings = editor.findings(&scripts);
    assert_eq!(severity(&findings, "SF0207"), Some(json!(2)), "{findings:?}");
    assert!(findings.iter().any(|found| found["severity"] == json!(4)), "{findings:?}");
    // Nothing includes this one: only what its lines alone tell is said.
    let alone = uri(&path("alone.conf"));
    editor.open(&alone, &format!("{lines}}}\n"));
    assert_eq!(codes(&editor.findings(&alone)), ["SF0102"]);
    assert!(editor.completion(&alone, (0, 2)).contains(&"virtual_router_id".to_owned()));
}

#[test]
fn findings_of_a_closed_file_are_taken_back() {
    let mut editor = Editor::greeted(&["utf-16"]);
    editor.open(MAIN, "nonsense\n");
    assert_eq!(codes(&editor.findings(MAIN)), ["SF0201"]);
    editor.tell("textDocument/didClose", json!({ "textDocument": { "uri": MAIN } }));
    assert!(editor.findings(MAIN).is_empty());
}

#[test]
fn places_are_counted_as_agreed_on() {
    for (encoding, character) in [("utf-8", 24), ("utf-16", 20)] {
        let mut editor = Editor::greeted(&[encoding]);
        editor.open(MAIN, "vrrp_script \"🦀汉\" { nonsense\n}\n");
        let findings = editor.findings(MAIN);
        let found = findings.iter().find(|found| found["code"] == "SF0201").expect("found");
        assert_eq!(found["range"]["start"]["character"], character, "{encoding}");
        editor.change(MAIN, json!([{ "range": found["range"], "text": "fall 0" }]));
        let findings = editor.findings(MAIN);
        assert!(!codes(&findings).contains(&"SF0201"), "{findings:?}");
        assert!(codes(&findings).contains(&"SF0207"), "{findings:?}");
    }
}

#[test]
fn formatting_lays_the_buffer_out() {
    let mut editor = Editor::greeted(&["utf-16"]);
    editor.open(MAIN, "# kept\nvrrp_instance V { state BACKUP }\n");
    let params = json!({ "textDocument": { "uri": MAIN }, "options": { "tabSize": 4 } });
    let edits = editor.ask("textDocument/formatting", params.clone());
    assert_eq!(edits[0]["newText"], "vrrp_instance V {\n    state BACKUP\n}\n");
    assert_eq!(edits[0]["range"]["start"], json!({ "line": 1, "character": 0 }));
    editor.change(MAIN, json!([{ "range": edits[0]["range"], "text": edits[0]["newText"] }]));
    assert_eq!(editor.ask("textDocument/formatting", params), json!([]));
}

#[test]
fn what_is_no_request_is_answered_with_an_error_and_survived() {
    let mut editor = Editor::start();
    let early = editor.response("textDocument/hover", json!({}));
    assert_eq!(early["error"]["code"], -32002);
    editor.ask("initialize", json!({ "capabilities": {} }));
    editor.send("{ this is no JSON");
    assert_eq!(editor.receive()["error"]["code"], -32700);
    editor.send("[]");
    assert_eq!(editor.receive()["error"]["code"], -32600);
    assert_eq!(editor.response("keepalived/none", json!({}))["error"]["code"], -32601);
    assert_eq!(editor.response("textDocument/hover", json!(5))["error"]["code"], -32602);
    editor.tell("$/none", json!({}));
    editor.tell("textDocument/didChange", json!({ "textDocument": 5 }));
    assert_eq!(editor.at("textDocument/hover", "file:///never/opened", (0, 0)), Value::Null);
    editor.ask("shutdown", Value::Null);
    assert_eq!(editor.response("shutdown", Value::Null)["error"]["code"], -32600);
    assert_eq!(editor.exit(), Some(0));
}

#[test]
fn an_exit_without_shutdown_and_a_lost_editor_are_failures() {
    assert_eq!(Editor::greeted(&[]).exit(), Some(1));
    let Editor { mut server, to, .. } = Editor::greeted(&[]);
    drop(to);
    assert_eq!(server.wait().expect("it ends").code(), Some(1));
}
