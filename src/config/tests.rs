//! What the configuration promises an operator.

use std::time::Duration;

use super::*;

const NO_ENVIRONMENT: [(OsString, OsString); 0] = [];

fn from_env(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    load(None, variables, None)
}

fn load(file: Option<&str>, variables: &[(&str, &str)], listen: Option<&str>) -> Result<Config, ConfigError> {
    let directory = tempfile::tempdir().unwrap();
    let config = file.map(|text| {
        let path = directory.path().join("roomdrop.toml");
        std::fs::write(&path, text).unwrap();
        path
    });
    let flags = Flags { listen: listen.map(Into::into), config, ..Flags::default() };
    Config::load(&flags, variables.iter().map(|(name, value)| (name.into(), value.into())))
}

fn faults(result: Result<Config, ConfigError>) -> Vec<String> {
    result.unwrap_err().faults().iter().map(ToString::to_string).collect()
}

#[test]
fn the_defaults_are_the_documented_ones() {
    let config = Config::load(&Flags::default(), NO_ENVIRONMENT).unwrap();
    assert_eq!(config.server.listen, "127.0.0.1:3000".parse().unwrap());
    assert_eq!((config.server.node, config.server.peer_url), (None, PeerUrl::Auto));
    assert_eq!(config.server.drain_timeout, Duration::from_secs(30));
    assert_eq!(config.socketio.ping_interval, Duration::from_secs(25));
    assert_eq!(config.socketio.ping_timeout, Duration::from_secs(20));
    assert_eq!(config.socketio.max_payload, 10 << 20);
    assert_eq!(config.socketio.origins, ["*"]);
    assert_eq!((config.rooms.max_members, config.rooms.history), (64, 100));
    assert_eq!(config.rooms.presence_grace, Duration::from_secs(10));
    assert_eq!(config.transfers.lifetime, Duration::from_secs(10 * 3600));
    assert_eq!(config.transfers.stall_timeout, Duration::from_secs(10));
    assert_eq!(config.transfers.window, 8 << 20);
    assert_eq!((config.transfers.chunk_min, config.transfers.chunk_max), (100 << 10, 5 << 20));
    assert_eq!(config.transfers.max_lanes, 4);
    assert_eq!(config.transfers.straggler_patience, Duration::from_secs(2));
    assert_eq!(config.transfers.straggler, Straggler::Split);
    assert_eq!(config.transfers.max_size, None);
    assert_eq!(config.memory.budget, 512 << 20);
    assert_eq!(config.files.dir, None);
    assert_eq!(
        (config.redis.url, config.redis.cluster, config.redis.prefix.as_str()),
        (None, false, "roomdrop")
    );
    assert!(!config.fetch.enabled && !config.fetch.allow_private);
    assert_eq!((config.fetch.hosts.len(), config.fetch.commands.len(), config.fetch.concurrent), (0, 0, 5));
    assert_eq!(config.store.url, StoreUrl::Folder("./data".into()));
    assert_eq!(config.store.lifetime, Duration::from_secs(24 * 3600));
    assert_eq!((config.store.max_size, config.store.quota), (2 << 30, 20 << 30));
    assert_eq!((config.limits.rooms, config.limits.transfers), (100_000, 200_000));
    assert_eq!((config.limits.drops_per_room, config.limits.files_per_drop), (1000, 10_000));
    assert_eq!((config.limits.message_bytes, config.limits.downloads_per_token), (16 << 10, 8));
    assert_eq!(
        (config.log.format, config.log.level, config.log.file),
        (LogFormat::Text, LogLevel::Info, None)
    );
}

#[test]
fn every_key_is_annotated() {
    let mut said_something = false;
    for line in DEFAULTS.lines() {
        match line.as_bytes().first() {
            Some(b'#') => said_something = true,
            Some(b'[') => said_something = false,
            None | Some(b' ') => {}
            Some(_) => {
                assert!(said_something, "{line}");
                said_something = false;
            }
        }
    }
}

#[test]
fn a_later_layer_wins() {
    let file = "[transfers]\nwindow = \"16MiB\"\nmax_lanes = 2\n[server]\nlisten = \"127.0.0.1:1\"";
    let variables = [("ROOMDROP_TRANSFERS__MAX_LANES", "3"), ("ROOMDROP_SERVER__LISTEN", "127.0.0.1:2")];
    let config = load(Some(file), &variables, Some("127.0.0.1:0")).unwrap();
    assert_eq!(config.transfers.window, 16 << 20);
    assert_eq!(config.transfers.max_lanes, 3);
    assert_eq!(config.server.listen.port(), 0);
    assert_eq!(config.transfers.chunk_max, 5 << 20, "what no layer names keeps its default");
}

#[test]
fn every_form_of_a_value_is_read() {
    let config = from_env(&[
        ("ROOMDROP_SERVER__DRAIN_TIMEOUT", "0s"),
        ("ROOMDROP_SOCKETIO__ORIGINS", r#"["https://Files.example.com:8443", "*"]"#),
        ("ROOMDROP_ROOMS__HISTORY", "0"),
        ("ROOMDROP_TRANSFERS__WINDOW", "16777216"),
        ("ROOMDROP_TRANSFERS__MAX_SIZE", "1.5GiB"),
        ("ROOMDROP_TRANSFERS__STRAGGLER", "drop"),
        ("ROOMDROP_LOG__FORMAT", "json"),
        ("ROOMDROP_LOG__FILE", "roomdrop.log"),
    ])
    .unwrap();
    assert!(config.server.drain_timeout.is_zero());
    assert_eq!(config.socketio.origins, ["https://files.example.com:8443", "*"]);
    assert_eq!(config.rooms.history, 0);
    assert_eq!(config.transfers.window, 16 << 20);
    assert_eq!(config.transfers.max_size, Some(3 << 29));
    assert_eq!(config.transfers.straggler, Straggler::Drop);
    assert_eq!(config.log.format, LogFormat::Json);
    assert_eq!(config.log.file, Some(PathBuf::from("roomdrop.log")));

    let numbers = "[transfers]\nwindow = 9000000\nmax_size = 5\n[socketio]\norigins = []";
    let config = load(Some(numbers), &[("ROOMDROP_TRANSFERS__MAX_SIZE", "none")], None).unwrap();
    assert_eq!((config.transfers.window, config.transfers.max_size), (9_000_000, None));
    assert!(config.socketio.origins.is_empty());
}

#[test]
fn a_node_has_a_name_and_an_address_for_the_others() {
    for (text, url) in [
        ("none", PeerUrl::Nowhere),
        ("auto", PeerUrl::Auto),
        ("http://10.0.0.7:3000", PeerUrl::At("http://10.0.0.7:3000".into())),
        ("http://[::1]:3000", PeerUrl::At("http://[::1]:3000".into())),
        ("http://node-1.roomdrop", PeerUrl::At("http://node-1.roomdrop".into())),
    ] {
        let config =
            from_env(&[("ROOMDROP_SERVER__NODE", "node-1"), ("ROOMDROP_SERVER__PEER_URL", text)]).unwrap();
        assert_eq!((config.server.node.as_deref(), config.server.peer_url), (Some("node-1"), url));
    }
}

#[test]
fn things_are_kept_in_a_folder_in_a_bucket_or_nowhere() {
    let s3 = |bucket: &str, prefix: &str| StoreUrl::S3 { bucket: bucket.into(), prefix: prefix.into() };
    for (text, url) in [
        ("none", StoreUrl::Nowhere),
        ("file:./data", StoreUrl::Folder("./data".into())),
        ("file:/var/lib/roomdrop", StoreUrl::Folder("/var/lib/roomdrop".into())),
        ("file:///var/lib/roomdrop", StoreUrl::Folder("/var/lib/roomdrop".into())),
        ("s3://bucket", s3("bucket", "")),
        ("s3://bucket/", s3("bucket", "")),
        ("s3://my.bucket/some/prefix/", s3("my.bucket", "some/prefix")),
    ] {
        assert_eq!(from_env(&[("ROOMDROP_STORE__URL", text)]).unwrap().store.url, url, "{text}");
    }
}

#[test]
fn all_faults_are_told_at_once_each_with_its_key_and_its_layer() {
    let file = "[transfers]\nwindow = \"8 MB of\"\nlanes = 4\n[rooms]\nmax_members = 0\n[cloud]\nurl = \"x\"";
    let variables = [("ROOMDROP_MEMORY__BUDGET", "-1"), ("ROOMDROP_SERVER__DRAIN_TIMEOUT", "30")];
    let mut said = faults(load(Some(file), &variables, Some("localhost")));
    said.sort();
    let starts = [
        "cloud.url: there is no section [cloud]; there are ",
        r#"memory.budget: "-1" is not a size; write like "8MiB" (from ROOMDROP_MEMORY__BUDGET)"#,
        "rooms.max_members: must be at least 1 (from ",
        r#"server.drain_timeout: "30" is not a time; write like "10s" (from ROOMDROP_SERVER__DRAIN_TIMEOUT)"#,
        r#"server.listen: "localhost" is not a numeric address with a port; write like "127.0.0.1:3000" (from --listen)"#,
        "transfers.lanes: there is no such key; [transfers] has ",
        r#"transfers.window: "8 MB of" is not a size; write like "8MiB" (from "#,
    ];
    assert_eq!(said.len(), starts.len(), "{said:#?}");
    for (said, start) in said.iter().zip(starts) {
        assert!(said.starts_with(start), "{said}\n{start}");
    }
    let error = load(Some(file), &variables, None).unwrap_err();
    assert_eq!(error.to_string().lines().count(), error.faults().len());
}

#[test]
fn a_value_that_is_none_of_its_kind_is_a_fault_of_its_key_alone() {
    for (key, values) in [
        ("server.listen", &["3000", "\":3000\"", "\"1.2.3.4\"", "\"example.com:80\"", "[]"][..]),
        (
            "server.node",
            &["\"\"", "\"a.b\"", "\"a b\"", "\"é\"", "7", "\"a23456789012345678901234567890123\""],
        ),
        (
            "server.peer_url",
            &[
                "\"\"",
                "\"10.0.0.7:3000\"",
                "\"http://\"",
                "\"http://a/b\"",
                "\"http://u@a\"",
                "\"ftp://a\"",
                "\"http://a b\"",
                "7",
            ],
        ),
        ("server.drain_timeout", &["\"-1s\"", "5", "\"1 lightyear\"", "\"1000y\"", "true"]),
        ("socketio.ping_interval", &["\"0s\"", "\"\"", "25"]),
        ("socketio.max_payload", &["0", "\"0B\"", "-1", "1.5", "\"99999EiB\"", "{a=1}"]),
        (
            "socketio.origins",
            &[
                "\"*\"",
                "[\"example.com\"]",
                "[\"https://a/b\"]",
                "[\"ftp://a\"]",
                "[\"https://\"]",
                "[\"https://u@a\"]",
            ],
        ),
        ("rooms.max_members", &["0", "-1", "5000000000", "\"64\"", "1.0"]),
        ("rooms.history", &["-1", "\"all\""]),
        ("transfers.straggler", &["\"wait\"", "1"]),
        ("transfers.max_size", &["\"unlimited\"", "0"]),
        ("files.dir", &["\"\"", "3", "[]"]),
        (
            "store.url",
            &[
                "\"\"",
                "\"data\"",
                "\"file:\"",
                "\"s3://\"",
                "\"s3://b/../c\"",
                "\"s3://b//c\"",
                "\"http://a\"",
                "7",
            ],
        ),
        ("store.quota", &["0", "\"none\""]),
        ("log.level", &["\"loud\"", "3"]),
        ("log.file", &["\"\"", "1"]),
    ] {
        let (section, name) = key.split_once('.').unwrap();
        for value in values {
            let said = faults(load(Some(&format!("[{section}]\n{name} = {value}")), &[], None));
            assert_eq!(said.len(), 1, "{key} = {value}: {said:?}");
            assert!(said[0].starts_with(&format!("{key}: ")), "{said:?}");
            assert!(!said[0].contains('\n'), "{said:?}");
        }
    }
}

#[test]
fn values_at_odds_with_one_another_are_faults() {
    let fault_of = |variables: &[(&str, &str)]| {
        let said = faults(from_env(variables));
        assert_eq!(said.len(), 1, "{said:?}");
        said.into_iter().next().unwrap()
    };
    assert!(
        fault_of(&[("ROOMDROP_TRANSFERS__CHUNK_MIN", "6MiB")])
            .starts_with("transfers.chunk_min: 6.0 MiB is more than transfers.chunk_max (5.0 MiB)")
    );
    assert!(fault_of(&[("ROOMDROP_TRANSFERS__WINDOW", "4MiB")]).starts_with("transfers.chunk_max: "));
    assert!(fault_of(&[("ROOMDROP_MEMORY__BUDGET", "7MiB")]).starts_with("transfers.window: "));
    assert!(fault_of(&[("ROOMDROP_SOCKETIO__MAX_PAYLOAD", "6MiB")]).starts_with("socketio.max_payload: "));
    assert!(fault_of(&[("ROOMDROP_LIMITS__MESSAGE_BYTES", "9MiB")]).starts_with("limits.message_bytes: "));
    assert!(fault_of(&[("ROOMDROP_TRANSFERS__LIFETIME", "9s")]).starts_with("transfers.stall_timeout: "));
}

#[test]
fn a_rule_about_a_value_that_nobody_could_read_keeps_silent() {
    let said = faults(from_env(&[
        ("ROOMDROP_TRANSFERS__CHUNK_MAX", "big"),
        ("ROOMDROP_TRANSFERS__CHUNK_MIN", "6MiB"),
    ]));
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with("transfers.chunk_max"));
}

#[test]
fn a_file_that_cannot_be_used_is_named() {
    let missing =
        Flags { config: Some("/nowhere/roomdrop.toml".into()), listen: Some("x".into()), ..Flags::default() };
    let said = faults(Config::load(&missing, NO_ENVIRONMENT));
    assert!(said[0].starts_with("/nowhere/roomdrop.toml: cannot be read"), "{said:?}");
    assert!(said[1].starts_with("server.listen"), "the other layers are still read: {said:?}");

    let said = faults(load(Some("[server]\n\nlisten = = 3"), &[], None));
    assert!(said[0].contains("is not TOML in line 3"), "{said:?}");
    let said = faults(load(Some("server = 3"), &[], None));
    assert!(said[0].starts_with("server: is not a section; write its keys under [server]"), "{said:?}");
}

#[test]
fn variables_of_others_are_left_alone() {
    let variables =
        [("ROOMDROP_PORT", "tcp://10.0.0.1:3000"), ("ROOMDROP_SERVICE_HOST", "x"), ("MY_ROOMDROP_A__B", "x")];
    assert!(from_env(&variables).is_ok());
    assert_eq!(faults(from_env(&[("ROOMDROP_SERVER__LISTN", "x")])).len(), 1);
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_no_text_is_a_fault_and_no_panic() {
    use std::os::unix::ffi::OsStringExt;
    let bad = OsString::from_vec(vec![0xff]);
    let environment = [(OsString::from("ROOMDROP_LOG__FILE"), bad.clone()), (bad, OsString::from("x"))];
    let said = faults(Config::load(&Flags::default(), environment));
    assert_eq!(said, ["log.file: is not UTF-8 text (from ROOMDROP_LOG__FILE)"]);
}

/// The example in the defaults is a comment, since there is no hook by default.
#[test]
fn a_hook_has_the_documented_keys_and_defaults() {
    let example = DEFAULTS.lines().skip_while(|line| *line != "#   [[hooks]]");
    let example: Vec<_> = example.map_while(|line| line.strip_prefix("#   ")).collect();
    let config = load(Some(&example.join("\n")), &[], None).unwrap();
    let [hook] = config.hooks.as_slice() else { panic!("{:?}", config.hooks) };
    let documented = Hook {
        on: vec![HookEvent::Offered],
        url: hook.url.clone(),
        secret: hook.secret.clone(),
        ..Hook::default()
    };
    assert_eq!(*hook, documented);
    assert_eq!(hook.secret, HookSecret::Key((0..32).collect()));
    assert_eq!((hook.timeout, hook.lifetime), (Duration::from_secs(10), Duration::from_secs(3600)));
    assert_eq!((hook.queue, hook.concurrent, hook.veto, hook.content), (8 << 20, 4, false, false));
    for key in [
        "on",
        "url",
        "command",
        "secret",
        "veto",
        "on_error",
        "content",
        "timeout",
        "lifetime",
        "queue",
        "concurrent",
    ] {
        assert!(
            example.iter().any(|line| line.trim_start_matches("# ").starts_with(&format!("{key} = "))),
            "{key}"
        );
    }
    assert!(Config::load(&Flags::default(), NO_ENVIRONMENT).unwrap().hooks.is_empty());
}

#[test]
fn the_environment_changes_hooks_by_their_number_and_adds_to_them() {
    let file = "[[hooks]]\non = [\"complete\"]\nurl = \"http://a/\"\nsecret = \"none\"\n[[hooks]]\non = [\"failed\"]\ncommand = [\"b\"]";
    let config = load(
        Some(file),
        &[
            ("ROOMDROP_HOOKS__0__URL", "https://me:s3cret@c/d?e=f"),
            ("ROOMDROP_HOOKS__0__ON", "complete, stored"),
            ("ROOMDROP_HOOKS__1__CONCURRENT", "1"),
            ("ROOMDROP_HOOKS__2__ON", "[\"offered\"]"),
            ("ROOMDROP_HOOKS__2__COMMAND", "[\"/bin/check\", \"a, b\"]"),
            ("ROOMDROP_HOOKS__2__VETO", "true"),
            ("ROOMDROP_HOOKS__2__ON_ERROR", "allow"),
            ("ROOMDROP_HOOKS__2__TIMEOUT", "500ms"),
            ("ROOMDROP_HOOKS__2__QUEUE", "1MiB"),
        ],
        None,
    )
    .unwrap();
    let [first, second, third] = config.hooks.as_slice() else { panic!("{:?}", config.hooks) };
    assert_eq!(first.url.as_ref().map(Hidden::expose), Some("https://me:s3cret@c/d?e=f"));
    assert_eq!(
        (&first.on[..], &first.secret),
        (&[HookEvent::Complete, HookEvent::Stored][..], &HookSecret::None)
    );
    assert_eq!((second.command.as_deref(), second.concurrent), (Some(&["b".to_owned()][..]), 1));
    assert_eq!(third.command.as_deref(), Some(&["/bin/check".to_owned(), "a, b".to_owned()][..]));
    assert_eq!((third.veto, third.on_error, third.queue), (true, Some(HookOnError::Allow), 1 << 20));
    assert_eq!(third.timeout, Duration::from_millis(500));
    assert!(!format!("{config:?}").contains("s3cret"));
}

#[test]
fn all_faults_of_hooks_are_told_at_once_each_with_its_key() {
    let file = "[[hooks]]\non = [\"sent\"]\nurl = \"ftp://me:s3cret@a\"\nsecret = \"whsec_s3cret\"\nretries = 3\n\
                [[hooks]]\non = [\"complete\"]\nveto = true\ncontent = true\n\
                [[hooks]]\nurl = \"http://a\"\ncommand = [\"b\"]\non_error = \"allow\"";
    let variables = [
        ("ROOMDROP_HOOKS__4__ON", "complete"),
        ("ROOMDROP_HOOKS__FIRST__ON", "complete"),
        ("ROOMDROP_HOOKS__1__TIMEOUT", "0s"),
    ];
    let mut said = faults(load(Some(file), &variables, None));
    said.sort();
    let starts = [
        "hooks.0.on: [\"sent\"] is not a list of offered, complete, failed, stored;",
        "hooks.0.retries: unknown field `retries`",
        "hooks.0.secret: is not \"whsec_\" with",
        "hooks.0.url: is not a URL;",
        "hooks.1.content: is about what is stored",
        "hooks.1.timeout: must be longer than nothing",
        "hooks.1.url: a hook has a url or a command",
        "hooks.1.veto: is about offers",
        "hooks.2.on: is missing",
        "hooks.2.on_error: is about a hook that may veto",
        "hooks.2.secret: is missing",
        "hooks.2.url: a hook has a url or a command",
        "hooks.4.on: there are 3 hooks before it",
        "hooks.first__on: names no hook",
    ];
    assert_eq!(said.len(), starts.len(), "{said:#?}");
    for (said, start) in said.iter().zip(starts) {
        assert!(said.starts_with(start), "{said}\n{start}");
        assert!(!said.contains("s3cret") && !said.contains('\n'), "{said}");
    }
    for bad in ["hooks = 3", "hooks = [3]", "[hooks]\nurl = \"http://a\""] {
        let said = faults(load(Some(bad), &[], None));
        assert!(said[0].starts_with("hooks: is not a list of hooks"), "{bad}: {said:?}");
    }
}

#[test]
fn the_flags_are_the_documented_ones() {
    use clap::Parser;
    let flags = Flags::try_parse_from(["roomdrop", "--listen", "0.0.0.0:80", "--config", "a.toml"]).unwrap();
    assert_eq!((flags.listen.as_deref(), flags.config), (Some("0.0.0.0:80"), Some("a.toml".into())));
    let flags = Flags::try_parse_from(["roomdrop", "--redis", "redis://localhost"]).unwrap();
    assert_eq!(flags.redis.as_deref(), Some("redis://localhost"));
    assert!(Flags::try_parse_from(["roomdrop", "--port", "x"]).is_err());
}

#[test]
fn a_password_in_the_url_of_redis_is_never_shown() {
    let config = from_env(&[("ROOMDROP_REDIS__URL", "rediss://me:s3cret@h:1, redis://h:2")]).unwrap();
    assert_eq!(config.redis.url.as_ref().unwrap().expose(), "rediss://me:s3cret@h:1, redis://h:2");
    assert!(!format!("{config:?}").contains("s3cret"));
    let said =
        faults(from_env(&[("ROOMDROP_REDIS__URL", "http://me:s3cret@h"), ("ROOMDROP_REDIS__PREFIX", "{a}")]));
    assert_eq!(said.len(), 2);
    assert!(said.iter().all(|said| !said.contains("s3cret")), "{said:?}");
    let flags = Flags { redis: Some("redis://here".to_owned()), ..Flags::default() };
    let config = Config::load(&flags, [("ROOMDROP_REDIS__URL".into(), "redis://there".into())]).unwrap();
    assert_eq!(config.redis.url.unwrap().expose(), "redis://here");
}

#[test]
fn a_program_that_fetches_is_for_some_hosts_and_gets_the_url() {
    let file = "[fetch]\nenabled = true\n[[fetch.commands]]\nhosts = [\"*.Tube.example\"]\nprogram = \"get\"\nargs = [\"{url}\"]";
    let config = load(Some(file), &[("ROOMDROP_FETCH__HOSTS", "a.example, *.b.example")], None).unwrap();
    let command = FetchCommand {
        hosts: vec!["*.tube.example".into()],
        program: "get".into(),
        args: vec!["{url}".into()],
    };
    assert_eq!((config.fetch.enabled, config.fetch.commands), (true, vec![command]));
    assert_eq!(config.fetch.hosts, ["a.example", "*.b.example"]);
    for (commands, word) in [
        ("[{hosts=[],program='get',args=['{url}']}]", "hosts"),
        ("[{hosts=['*'],program=' ',args=['{url}']}]", "program"),
        ("[{hosts=['*'],program='get',args=['-o']}]", "{url}"),
        ("[{hosts=['a b'],program='get',args=['{url}']}]", "pattern"),
        ("[{hosts=['*'],program='get',args=['{url}'],shell=true}]", "shell"),
    ] {
        let found = faults(from_env(&[("ROOMDROP_FETCH__COMMANDS", commands)]));
        assert!(found.len() == 1 && found[0].contains(word), "{found:?}");
    }
    assert_eq!(faults(from_env(&[("ROOMDROP_FETCH__HOSTS", "http://a.example/")])).len(), 1);
}
