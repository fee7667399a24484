//! The URL under which whoever asked finds the file, as it reached this server. Its host and scheme are what the
//! request says, through however many proxies: it is told to nobody but whoever sent the request.

use axum::http::header::{HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName};

use crate::protocol::uploads::UploadName;

const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The URL of a stored upload; its path alone where the request names no host.
pub(super) fn of(name: &UploadName, headers: &HeaderMap) -> String {
    match text(headers, &HOST).and_then(host) {
        Some(host) => format!("{}://{host}/upload/{name}", scheme(headers, host.as_str())),
        None => format!("/upload/{name}"),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn host(text: &str) -> Option<Authority> {
    text.parse().ok().filter(|_| !text.contains('@'))
}

/// What a page of this very host was loaded by, or what a proxy says.
fn scheme(headers: &HeaderMap, host: &str) -> &'static str {
    let own_page = text(headers, &ORIGIN).and_then(|origin| origin.split_once("://"));
    let scheme = match own_page.filter(|(_, authority)| authority.eq_ignore_ascii_case(host)) {
        Some((scheme, _)) => Some(scheme),
        None => text(headers, &FORWARDED_PROTO).and_then(|list| list.split(',').next()),
    };
    match scheme.map(str::trim) {
        Some(scheme) if scheme.eq_ignore_ascii_case("https") => "https",
        _ => "http",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    const NAME: &str = "900150983cd24fb0d6963f7d28e17f72.txt";

    #[test]
    fn the_url_is_the_one_by_which_the_server_was_reached() {
        for (headers, start) in [
            (&[("host", "localhost:8000")][..], "http://localhost:8000"),
            (&[("host", "[::1]:80"), ("x-forwarded-proto", "https")], "https://[::1]:80"),
            (&[("host", "a.b"), ("x-forwarded-proto", "HTTPS, http")], "https://a.b"),
            (&[("host", "a.b"), ("x-forwarded-proto", "javascript")], "http://a.b"),
            (&[("host", "a.b"), ("origin", "https://a.b")], "https://a.b"),
            (&[("host", "a.b"), ("origin", "https://c.d"), ("x-forwarded-proto", "http")], "http://a.b"),
            (&[], ""),
            (&[("host", "a b")], ""),
            (&[("host", "a/b")], ""),
            (&[("host", "user@a")], ""),
        ] {
            let given = headers
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
            let url = of(&UploadName::parse(NAME).unwrap(), &given.collect());
            assert_eq!(url, format!("{start}/upload/{NAME}"), "{headers:?}");
        }
    }
}
