//! How a hook knows that a request is ours and not an older one again: the signature of Standard Webhooks
//! (standardwebhooks.com, specification 1.0, "Verifying webhook authenticity"). Symmetric, `v1`; no other scheme.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What both ends know. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(Vec<u8>);

impl Key {
    /// A key of these bytes.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// `webhook-signature` of an event's `body`, told as `id` at `seconds` since the Unix epoch. Costs a pass over
    /// the body.
    pub(super) fn sign(&self, id: &str, seconds: u64, body: &[u8]) -> Option<String> {
        // HMAC takes keys of any length (RFC 2104 §2).
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        mac.update(format!("{id}.{seconds}.").as_bytes());
        mac.update(body);
        Some(format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes())))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's own libraries.
    #[test]
    fn the_signature_is_the_one_of_the_specification() {
        let key = Key::new(BASE64_STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap());
        let signed = key.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signed.as_deref(), Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
    }

    #[test]
    fn another_id_time_body_or_key_is_another_signature() {
        let key = Key::new(vec![1; 24]);
        let signed = key.sign("a", 1, b"b");
        for other in [key.sign("b", 1, b"b"), key.sign("a", 2, b"b"), key.sign("a", 1, b"c")] {
            assert_ne!(signed, other);
        }
        assert_ne!(signed, Key::new(vec![2; 24]).sign("a", 1, b"b"));
        assert!(!format!("{key:?}").contains('1'));
    }
}
