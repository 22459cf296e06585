//! A language server for `keepalived.conf`: the checker's findings while one types, completion,
//! explanations, definitions, layout.
//!
//! ```text
//! frames -> Server (documents -> projects -> answers and diagnostics) -> frames
//! ```
//!
//! [`Server`] is a value: messages go in, messages come out. [`serve`] connects it to an editor.
//! It runs no script and changes no file; what an open buffer holds counts, not the disk.

mod action;
mod completion;
mod cursor;
mod definition;
mod document;
mod files;
mod findings;
mod frame;
mod hover;
mod layout;
mod line;
mod names;
mod project;
mod protocol;
mod reference;
mod server;
mod symbols;
mod text;
mod uri;
mod variable;

use std::io::{self, BufReader, Read, Write};

pub use server::{Server, Settings};

/// Serves one editor until it says `exit` or hangs up. Whether it ended in good order: `shutdown`
/// came first.
///
/// # Errors
/// A pipe broke, or what comes in is no message and shows no place to go on at.
pub fn serve(input: impl Read, mut output: impl Write, settings: Settings) -> io::Result<bool> {
    let mut input = BufReader::new(input);
    let mut server = Server::new(settings);
    while !server.exited() {
        let Some(message) = frame::read(&mut input)? else { break };
        server.handle(&message);
        // While more keystrokes wait to be read, these findings are old already.
        if input.buffer().is_empty() {
            server.publish();
        }
        for message in server.drain() {
            frame::write(&mut output, &message)?;
        }
        output.flush()?;
    }
    Ok(server.shut_down())
}
