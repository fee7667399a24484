//! What happened to one server, line by line: inputs with their times, refusals, outputs. It can be
//! printed, read again, and fed to a fresh server, which must then say the same.

use std::fmt::Write as _;

use roomdrop::protocol::{ErrorCode, Moment};
use roomdrop::relay::Budget;

use crate::server::{Server, Setup};
use crate::word::{Effect, Event};

/// A run of one server, written down.
#[derive(Debug, Clone)]
pub struct Transcript {
    setup: Setup,
    lines: Vec<Line>,
}

#[derive(Debug, Clone)]
enum Line {
    Input(u64, Event),
    Refused(ErrorCode),
    Output(Effect),
}

impl Transcript {
    /// An empty one.
    pub fn new(setup: Setup) -> Self {
        Self { setup, lines: Vec::new() }
    }

    /// Hands an event to `server` and writes it down.
    pub fn handle(&mut self, server: &mut dyn Server, micros: u64, event: Event) -> Result<(), ErrorCode> {
        self.lines.push(Line::Input(micros, event.clone()));
        let answer = server.handle(Moment::from_micros(micros), event);
        if let Err(error) = answer {
            self.lines.push(Line::Refused(error));
        }
        answer
    }

    /// Polls `server` and writes it down.
    pub fn poll(&mut self, server: &mut dyn Server) -> Option<Effect> {
        let effect = server.poll()?;
        self.lines.push(Line::Output(effect.clone()));
        Some(effect)
    }

    /// As text: `>` an input, `!` its refusal, `<` an output.
    pub fn to_text(&self) -> String {
        let mut text = format!("{}\n", self.setup.to_line());
        for line in &self.lines {
            let _ = match line {
                Line::Input(at, event) => writeln!(text, "> {at} {event}"),
                Line::Refused(error) => writeln!(text, "! {error}"),
                Line::Output(effect) => writeln!(text, "< {effect}"),
            };
        }
        text
    }

    /// Feeds the inputs of a transcript's text to a fresh server, polling it as often as was polled then,
    /// and gives back what that server's run reads like. Nothing when the text is none.
    pub fn replay(text: &str) -> Option<String> {
        let mut lines = text.lines();
        let setup = Setup::parse(lines.next()?)?;
        let mut server = setup.server(&Budget::new(setup.budget));
        let mut again = Self::new(setup);
        for line in lines {
            if let Some(input) = line.strip_prefix("> ") {
                let (at, event) = input.split_once(' ')?;
                let _ = again.handle(server.as_mut(), at.parse().ok()?, Event::parse(event)?);
            } else if line.starts_with("< ") {
                again.poll(server.as_mut())?;
            }
        }
        while again.poll(server.as_mut()).is_some() {}
        Some(again.to_text())
    }
}
