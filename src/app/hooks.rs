//! Hooks as the configuration names them, in the words of the module that runs them.

use crate::config::{self, HookEvent, HookOnError, HookSecret};
use crate::hooks::{Content, Hooks, Key, Kind, OnError, Options, Part, StartError, Way};

/// The hooks of a configuration.
pub(super) fn start(hooks: &[config::Hook]) -> Result<Hooks, StartError> {
    Hooks::start(&hooks.iter().filter_map(options).collect::<Vec<_>>())
}

/// `None` of a hook that has neither a URL nor a command: a checked configuration has none such.
fn options(hook: &config::Hook) -> Option<Options> {
    let way = match (&hook.url, &hook.command) {
        (Some(url), _) => Way::Post { url: url.expose().to_owned(), key: key(&hook.secret) },
        (None, command) => {
            let (program, arguments) = command.as_deref()?.split_first()?;
            Way::Command { program: program.clone(), arguments: arguments.to_vec() }
        }
    };
    let on_error = match hook.on_error {
        Some(HookOnError::Allow) => OnError::Allow,
        Some(HookOnError::Refuse) | None => OnError::Refuse,
    };
    Some(Options {
        on: hook.on.iter().map(|event| kind(*event)).collect(),
        way,
        part: if hook.veto { Part::Judge { on_error } } else { Part::Listener },
        content: if hook.content { Content::Readable } else { Content::Described },
        timeout: hook.timeout,
        lifetime: hook.lifetime,
        queue: hook.queue,
        concurrent: hook.concurrent,
    })
}

fn key(secret: &HookSecret) -> Option<Key> {
    match secret {
        HookSecret::Key(bytes) => Some(Key::new(bytes.clone())),
        HookSecret::None | HookSecret::Missing => None,
    }
}

fn kind(event: HookEvent) -> Kind {
    match event {
        HookEvent::Offered => Kind::Offered,
        HookEvent::Complete => Kind::Complete,
        HookEvent::Failed => Kind::Failed,
        HookEvent::Stored => Kind::Stored,
    }
}
