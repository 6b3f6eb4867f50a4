//! Objects of S3-style stores: the address is signed here, and fetched like any other.

use reqwest::Url;
use rusty_s3::{Bucket, Credentials, S3Action, UrlStyle};
use std::time::Duration;

/// A signature is used at once; a clock may be off by minutes.
const VALID: Duration = Duration::from_secs(900);

/// `s3://bucket/key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// The bucket.
    pub bucket: String,
    /// The key, without a slash before it.
    pub key: String,
}

impl Object {
    /// `None` for what is no `s3://` address at all; the reason where one cannot be read.
    pub fn parse(place: &str) -> Option<Result<Self, String>> {
        let rest = place.strip_prefix("s3://")?;
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() || key.is_empty() || key.ends_with('/') {
            return Some(Err("expected s3://bucket/key of one object".to_owned()));
        }
        Some(Ok(Object {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
        }))
    }

    /// As it may be shown.
    pub fn shown(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.key)
    }

    /// An address by which it can be had for a while, by what the environment says: AWS_ENDPOINT_URL
    /// (AWS itself where absent), AWS_REGION, and AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY
    /// (nobody where absent). The address is as secret as the key.
    ///
    /// # Errors
    /// In words: which variable is wrong.
    pub fn address(&self) -> Result<Url, String> {
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let key = match (set("AWS_ACCESS_KEY_ID"), set("AWS_SECRET_ACCESS_KEY")) {
            (Some(id), Some(secret)) => Some(match set("AWS_SESSION_TOKEN") {
                Some(token) => Credentials::new_with_token(id, secret, token),
                None => Credentials::new(id, secret),
            }),
            (None, None) => None,
            _ => return Err("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY belong together".to_owned()),
        };
        let region = set("AWS_REGION").or_else(|| set("AWS_DEFAULT_REGION"));
        let endpoint = set("AWS_ENDPOINT_URL_S3").or_else(|| set("AWS_ENDPOINT_URL"));
        let bucket = self.bucket(
            endpoint.as_deref(),
            &region.unwrap_or_else(|| "us-east-1".to_owned()),
        )?;
        Ok(bucket.get_object(key.as_ref(), &self.key).sign(VALID))
    }

    fn bucket(&self, endpoint: Option<&str>, region: &str) -> Result<Bucket, String> {
        // Other stores than AWS rarely have a name for each bucket.
        let style = if endpoint.is_some() {
            UrlStyle::Path
        } else {
            UrlStyle::VirtualHost
        };
        let base = endpoint.map_or_else(|| format!("https://s3.{region}.amazonaws.com"), str::to_owned);
        let base = Url::parse(&base).map_err(|e| format!("AWS_ENDPOINT_URL: {e}"))?;
        if !matches!(base.scheme(), "http" | "https") || !base.username().is_empty() {
            return Err("AWS_ENDPOINT_URL: expected http(s)://host[:port] without credentials".to_owned());
        }
        Bucket::new(base, style, self.bucket.clone(), region.to_owned())
            .map_err(|e| format!("{}: {e}", self.shown()))
    }
}

/// What the store said no with: the code of its XML answer, if there is one.
pub fn refusal(body: &str) -> Option<&str> {
    let code = body.split_once("<Code>")?.1.split_once("</Code>")?.0;
    let plain = !code.is_empty() && code.len() <= 64 && code.bytes().all(|b| b.is_ascii_alphanumeric());
    plain.then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// AWS's own worked example ("Authenticating Requests: Using Query Parameters", Signature V4).
    #[test]
    fn signs_as_the_documents_say() {
        let object = Object::parse("s3://examplebucket/test.txt").unwrap().unwrap();
        let bucket = Bucket::new(
            Url::parse("https://s3.amazonaws.com").unwrap(),
            UrlStyle::VirtualHost,
            "examplebucket",
            "us-east-1",
        )
        .unwrap();
        let key = Credentials::new("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
        let time = "2013-05-24T00:00:00Z".parse().unwrap();
        let signed = bucket
            .get_object(Some(&key), &object.key)
            .sign_with_time(Duration::from_secs(86400), &time);
        let expected = "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
        assert!(signed.as_str().contains(expected), "{signed}");
    }

    #[test]
    fn where_a_store_is() {
        let object = Object::parse("s3://sets/a b/iris.csv").unwrap().unwrap();
        let at = |endpoint, region| {
            let bucket = object.bucket(endpoint, region).unwrap();
            bucket.get_object(None, &object.key).sign(VALID).to_string()
        };
        assert_eq!(
            at(Some("http://store.minio.svc:9000"), "us-east-1"),
            "http://store.minio.svc:9000/sets/a%20b/iris.csv"
        );
        assert_eq!(
            at(None, "eu-west-1"),
            "https://sets.s3.eu-west-1.amazonaws.com/a%20b/iris.csv"
        );
        for bad in ["store:9000", "ftp://store", "http://me:s3cret@store"] {
            let text = object.bucket(Some(bad), "x").err().unwrap();
            assert!(
                text.contains("AWS_ENDPOINT_URL") && !text.contains("s3cret"),
                "{text}"
            );
        }
        assert!(Object::parse("data/iris.csv").is_none());
    }

    #[test]
    fn a_store_says_why() {
        assert_eq!(
            refusal("<Error><Code>NoSuchKey</Code></Error>"),
            Some("NoSuchKey")
        );
        assert_eq!(refusal("<Code>a\nb</Code>"), None);
        assert_eq!(refusal("no"), None);
    }
}
