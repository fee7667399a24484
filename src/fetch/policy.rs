//! What may be fetched, and how: which URLs, from which hosts, at which addresses, by which program. Every hop
//! of every request is judged here. Pure: it resolves nothing and asks nobody.

use std::net::IpAddr;

use url::{Host, Url};
use wildmatch::WildMatch;

use super::address::is_public;
use crate::protocol::{ErrorCode, Refusal};

/// Redirects that one request may follow, at most; browsers follow 20.
pub(super) const MOST_HOPS: usize = 10;

/// What an operator lets this server fetch.
#[derive(Debug, Clone)]
pub struct Policy {
    hosts: Vec<WildMatch>,
    reach: Reach,
    programs: Vec<Program>,
}

/// Which addresses may be connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Those that anybody may reach.
    Public,
    /// Any: this server's own network too.
    Any,
    /// The public ones, and loopback at this port, as if that were somewhere far away.
    #[cfg(test)]
    PublicAnd(u16),
}

/// A program that fetches in this server's place.
#[derive(Debug, Clone)]
pub struct Program {
    hosts: Vec<WildMatch>,
    /// Its name on the path, or its own path.
    pub name: String,
    /// What it is called with; `{url}` is the URL.
    pub arguments: Vec<String>,
}

/// How a URL is fetched.
#[derive(Debug, Clone, Copy)]
pub enum Way<'a> {
    /// By HTTP.
    Http,
    /// By this program.
    Program(&'a Program),
}

impl Policy {
    /// What may be fetched: from `hosts` (patterns with stars; none means any), and what `programs` are for.
    pub fn new(hosts: &[String], reach: Reach, programs: Vec<Program>) -> Self {
        Self { hosts: patterns(hosts), reach, programs }
    }

    /// How this URL is to be fetched, if it may be.
    ///
    /// # Errors
    /// `bad_request` for what is no `http` or `https` URL of a host; `not_allowed` for a host that is not
    /// named, or that is an address which may not be reached.
    pub fn judge(&self, url: &Url) -> Result<Way<'_>, Refusal> {
        let host = web_host(url)?;
        if let Some(program) = self.programs.iter().find(|program| is_named(&program.hosts, &host)) {
            return Ok(Way::Program(program));
        }
        self.judge_hop(url)?;
        Ok(Way::Http)
    }

    /// Whether a request may go there by HTTP: the first, or where a redirect points to.
    ///
    /// # Errors
    /// As [`Self::judge`].
    pub fn judge_hop(&self, url: &Url) -> Result<(), Refusal> {
        let host = web_host(url)?;
        if !self.hosts.is_empty() && !is_named(&self.hosts, &host) {
            return Err(Refusal::new(
                ErrorCode::NotAllowed,
                "This server does not fetch from there; the operator names the hosts that it may ask.",
            ));
        }
        match url.host() {
            Some(Host::Ipv4(address)) => self.judge_address(address.into(), url.port_or_known_default()),
            Some(Host::Ipv6(address)) => self.judge_address(address.into(), url.port_or_known_default()),
            // Judged when it is resolved.
            _ => Ok(()),
        }
    }

    fn judge_address(&self, address: IpAddr, port: Option<u16>) -> Result<(), Refusal> {
        if self.may_reach(address, port) { Ok(()) } else { Err(private()) }
    }

    /// Whether a connection may be made to this address.
    pub fn may_reach(&self, address: IpAddr, port: Option<u16>) -> bool {
        let _ = port;
        match self.reach {
            Reach::Public => is_public(address),
            Reach::Any => true,
            #[cfg(test)]
            Reach::PublicAnd(open) => is_public(address) || (address.is_loopback() && port == Some(open)),
        }
    }

    /// Where a redirect leads to, judged.
    ///
    /// # Errors
    /// As [`Self::judge`]; `fetch_failed` when it cannot be read, or was one too many.
    pub fn hop(&self, from: &Url, location: Option<&str>, hops: usize) -> Result<Url, Refusal> {
        if hops >= MOST_HOPS {
            return Err(Refusal::new(
                ErrorCode::FetchFailed,
                format!("The origin redirects more than {MOST_HOPS} times; use the address where it ends."),
            ));
        }
        let to = location.and_then(|location| from.join(location).ok());
        let to = to.ok_or_else(|| {
            Refusal::new(ErrorCode::FetchFailed, "The origin redirects to nowhere; check the URL.")
        })?;
        self.judge_hop(&to)?;
        Ok(to)
    }
}

impl Program {
    /// A program for `hosts` (patterns with stars).
    pub fn new(hosts: &[String], name: String, arguments: Vec<String>) -> Self {
        Self { hosts: patterns(hosts), name, arguments }
    }

    /// What it is called with for this URL. A URL begins with its scheme, so it is never taken for an option
    /// where it stands alone.
    pub fn arguments_for(&self, url: &Url) -> Vec<String> {
        self.arguments.iter().map(|argument| argument.replace("{url}", url.as_str())).collect()
    }
}

/// What is said of an address that may not be reached. It does not say which: the asker might not know it.
pub(super) fn private() -> Refusal {
    Refusal::new(
        ErrorCode::NotAllowed,
        "The URL leads to an address that is not public; this server fetches only what anybody can reach.",
    )
}

fn web_host(url: &Url) -> Result<String, Refusal> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Refusal::new(
            ErrorCode::BadRequest,
            "Only http and https URLs can be fetched; give one that begins with https://.",
        ));
    }
    let host = url.host_str().map(|host| host.trim_end_matches('.').to_ascii_lowercase());
    host.filter(|host| !host.is_empty())
        .ok_or_else(|| Refusal::new(ErrorCode::BadRequest, "The URL names no host; check it."))
}

fn patterns(hosts: &[String]) -> Vec<WildMatch> {
    hosts.iter().map(|host| WildMatch::new(&host.to_ascii_lowercase())).collect()
}

fn is_named(patterns: &[WildMatch], host: &str) -> bool {
    patterns.iter().any(|pattern| pattern.matches(host))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn policy(hosts: &[&str], reach: Reach) -> Policy {
        let hosts: Vec<_> = hosts.iter().map(ToString::to_string).collect();
        let program = Program::new(&["*.tube.example".into()], "get".into(), vec!["--u={url}".into()]);
        Policy::new(&hosts, reach, vec![program])
    }

    fn judge(policy: &Policy, url: &str) -> Result<&'static str, ErrorCode> {
        let url = Url::parse(url).map_err(|_| ErrorCode::BadRequest)?;
        match policy.judge(&url) {
            Ok(Way::Http) => Ok("http"),
            Ok(Way::Program(_)) => Ok("program"),
            Err(refusal) => Err(refusal.code),
        }
    }

    #[test]
    fn only_the_web_is_fetched() {
        let any = policy(&[], Reach::Any);
        for bad in ["file:///etc/passwd", "ftp://a/b", "gopher://a", "data:,x", "javascript:1", "x", ""] {
            assert_eq!(judge(&any, bad), Err(ErrorCode::BadRequest), "{bad}");
        }
        assert_eq!(judge(&any, "HTTPS://a.example/b"), Ok("http"));
    }

    #[test]
    fn an_address_is_judged_however_it_is_written() {
        let public = policy(&[], Reach::Public);
        for private in [
            "http://127.0.0.1/",
            "http://127.1/",
            "http://2130706433/",
            "http://0x7f.0.0.1/",
            "http://0177.0.0.1/",
            "http://[::1]/",
            "http://[::ffff:10.0.0.1]/",
            "http://[0:0:0:0:0:ffff:7f00:1]:80/",
            "http://user:pass@169.254.169.254/latest",
            "http://１２７.0.0.1/",
            "http://0/",
        ] {
            assert_eq!(judge(&public, private), Err(ErrorCode::NotAllowed), "{private}");
            assert_eq!(judge(&policy(&[], Reach::Any), private), Ok("http"), "{private}");
        }
        assert_eq!(judge(&public, "http://8.8.8.8/"), Ok("http"));
    }

    #[test]
    fn named_hosts_alone_are_asked_where_any_are_named() {
        let some = policy(&["files.example", "*.cdn.example"], Reach::Public);
        for good in ["http://files.example/", "http://FILES.example./a", "http://a.b.cdn.example/"] {
            assert_eq!(judge(&some, good), Ok("http"), "{good}");
        }
        for bad in
            ["http://evil.example/", "http://files.example.evil/", "http://cdn.example/", "http://x@evil/"]
        {
            assert_eq!(judge(&some, bad), Err(ErrorCode::NotAllowed), "{bad}");
        }
        assert_eq!(judge(&some, "https://www.tube.example/w?v=1"), Ok("program"));
    }

    #[test]
    fn every_hop_is_judged_and_there_are_few() {
        let some = policy(&["a.example", "b.example"], Reach::Public);
        let from = Url::parse("https://a.example/x/y").unwrap();
        assert_eq!(some.hop(&from, Some("../z?q"), 0).unwrap().as_str(), "https://a.example/z?q");
        assert_eq!(some.hop(&from, Some("//b.example/"), 9).unwrap().as_str(), "https://b.example/");
        let code = |location, hops| some.hop(&from, location, hops).unwrap_err().code;
        assert_eq!(code(Some("//c.example/"), 0), ErrorCode::NotAllowed);
        assert_eq!(code(Some("file:///etc/passwd"), 0), ErrorCode::BadRequest);
        assert_eq!(code(Some("z"), MOST_HOPS), ErrorCode::FetchFailed);
        assert_eq!(code(Some("http://["), 0), ErrorCode::FetchFailed);
        assert_eq!(code(None, 0), ErrorCode::FetchFailed);
        let any = policy(&[], Reach::Public);
        assert_eq!(any.hop(&from, Some("http://10.0.0.1/"), 0).unwrap_err().code, ErrorCode::NotAllowed);
    }

    proptest! {
        #[test]
        fn a_url_is_one_argument_and_no_option(path in "\\PC{0,40}") {
            let Ok(url) = Url::parse(&format!("https://www.tube.example/{path}")) else { return Ok(()) };
            let program = Program::new(&[], "get".into(), vec!["-o".into(), "-".into(), "{url}".into()]);
            let arguments = program.arguments_for(&url);
            prop_assert_eq!(arguments.len(), 3);
            prop_assert!(arguments[2].starts_with("https://www.tube.example/"));
            prop_assert!(!arguments[2].chars().any(|c| c.is_control() || c == ' '));
        }
    }
}
