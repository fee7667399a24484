//! The layers of a configuration laid over one another. Every value of a later layer is tried alone on
//! top of the defaults: what the whole then fails to read is that value's fault, so all faults are
//! found, each with its key and the layer it came from.

use std::ffi::OsString;
use std::path::Path;

use serde::Deserialize;
use toml::{Table, Value};

use super::{Config, ConfigError, DEFAULTS, Fault, Flags, hooks, values};

const PREFIX: &str = "ROOMDROP_";
const SEPARATOR: &str = "__";

/// One value that a layer gives.
struct Setting {
    section: String,
    key: String,
    value: Value,
    origin: String,
}

/// What the layers give.
#[derive(Default)]
struct Given {
    settings: Vec<Setting>,
    hooks: Vec<hooks::Setting>,
}

/// The defaults with every good value of every layer, and the faults of the others.
pub(super) fn merge(
    flags: &Flags,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<(Config, Vec<Fault>), ConfigError> {
    let defaults: Table = DEFAULTS.parse().map_err(|error| broken_defaults(&error))?;

    let mut faults = Vec::new();
    let mut given = Given::default();
    if let Some(path) = &flags.config {
        from_file(path, &mut given, &mut faults);
    }
    from_environment(environment, &defaults, &mut given, &mut faults);
    let Given { mut settings, hooks } = given;
    from_flags(flags, &mut settings);

    let mut merged = defaults.clone();
    for setting in settings {
        match try_alone(&defaults, &setting) {
            Ok(()) => put(&mut merged, &setting),
            Err(problem) => faults.push(Fault {
                key: format!("{}.{}", setting.section, setting.key),
                problem,
                origin: Some(setting.origin),
            }),
        }
    }
    let hooks = hooks::merge(hooks, &mut faults);
    merged.insert(hooks::SECTION.to_owned(), hooks.into());
    let config = Config::deserialize(merged).map_err(|error| broken_defaults(&error))?;
    Ok((config, faults))
}

fn from_file(path: &Path, given: &mut Given, faults: &mut Vec<Fault>) {
    let origin = path.display().to_string();
    let mut fault = |key: &str, problem: String, origin: Option<&String>| {
        faults.push(Fault { key: key.to_owned(), problem, origin: origin.cloned() });
    };
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            return fault(&origin, format!("cannot be read: {error}; see --config"), None);
        }
    };
    let table: Table = match text.parse() {
        Ok(table) => table,
        Err(error) => return fault(&origin, not_toml(&text, &error), None),
    };
    for (section, value) in table {
        if section == hooks::SECTION {
            match hooks::from_file(value, &origin) {
                Ok(settings) => given.hooks.extend(settings),
                Err(problem) => fault(&section, problem, Some(&origin)),
            }
            continue;
        }
        let Value::Table(keys) = value else {
            fault(&section, format!("is not a section; write its keys under [{section}]"), Some(&origin));
            continue;
        };
        given.settings.extend(keys.into_iter().map(|(key, value)| Setting {
            section: section.clone(),
            key,
            value,
            origin: origin.clone(),
        }));
    }
}

/// Only names with the double underscore are ours: an orchestrator sets the likes of `ROOMDROP_PORT` for
/// a service that is called roomdrop.
fn from_environment(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    defaults: &Table,
    given: &mut Given,
    faults: &mut Vec<Fault>,
) {
    let mut ours: Vec<(String, OsString)> = environment
        .into_iter()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .filter(|(name, _)| name.strip_prefix(PREFIX).is_some_and(|rest| rest.contains(SEPARATOR)))
        .collect();
    ours.sort();
    for (name, value) in ours {
        let path = name.strip_prefix(PREFIX).unwrap_or(&name).to_ascii_lowercase();
        let Some((section, key)) = path.split_once(SEPARATOR) else { continue };
        let Ok(text) = value.into_string() else {
            faults.push(Fault {
                key: format!("{section}.{key}"),
                problem: "is not UTF-8 text".to_owned(),
                origin: Some(name),
            });
            continue;
        };
        if section == hooks::SECTION {
            hooks::from_variable(key, text, name, &mut given.hooks, faults);
            continue;
        }
        let default = defaults.get(section).and_then(|section| section.get(key));
        let value = typed_like(default, text);
        given.settings.push(Setting {
            section: section.to_owned(),
            key: key.to_owned(),
            value,
            origin: name,
        });
    }
}

fn from_flags(flags: &Flags, settings: &mut Vec<Setting>) {
    let given = [("server", "listen", "--listen", &flags.listen), ("redis", "url", "--redis", &flags.redis)];
    for (section, key, flag, value) in given {
        settings.extend(value.iter().map(|value| Setting {
            section: section.to_owned(),
            key: key.to_owned(),
            value: Value::String(value.clone()),
            origin: flag.to_owned(),
        }));
    }
}

/// The environment knows only text: the default tells which type is meant. What is not of that type
/// stays text, and the key's own reader says what it wants.
fn typed_like(default: Option<&Value>, text: String) -> Value {
    match default {
        Some(Value::Array(_)) => values::list_of(text),
        None | Some(Value::String(_)) => Value::String(text),
        Some(_) => text.trim().parse().unwrap_or(Value::String(text)),
    }
}

fn try_alone(defaults: &Table, setting: &Setting) -> Result<(), String> {
    let Some(section) = defaults.get(&setting.section).and_then(Value::as_table) else {
        return Err(format!("there is no section [{}]; there are {}", setting.section, names(defaults)));
    };
    if !section.contains_key(&setting.key) {
        return Err(format!("there is no such key; [{}] has {}", setting.section, names(section)));
    }
    let mut trial = defaults.clone();
    put(&mut trial, setting);
    Config::deserialize(trial).map(drop).map_err(|error| one_line(&error))
}

fn put(table: &mut Table, setting: &Setting) {
    if let Some(Value::Table(section)) = table.get_mut(&setting.section) {
        section.insert(setting.key.clone(), setting.value.clone());
    }
}

fn names(table: &Table) -> String {
    table.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
}

fn not_toml(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    format!("is not TOML in line {line}: {}", one_line(error))
}

fn one_line(error: &toml::de::Error) -> String {
    error.message().trim().replace('\n', " ")
}

/// The defaults are part of the program, and a test reads them; should they break, say so and stop.
fn broken_defaults(error: &toml::de::Error) -> ConfigError {
    ConfigError::new(vec![Fault {
        key: "config/default.toml".to_owned(),
        problem: one_line(error),
        origin: None,
    }])
}
