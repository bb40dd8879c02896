//! The style sheet, the script and the icon: compiled in, served under names that hold a hash of their content.
//!
//! A name that changes with the content lets browsers keep a file for good: a new version of Landbridge has new names.

use std::sync::LazyLock;

use axum::Router;
use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use sha2::{Digest, Sha256};

/// A file that pages refer to.
#[derive(Debug)]
pub struct Asset {
    /// The name with the hash, such as `console-1f2e3d4c5b6a.css`.
    pub name: String,
    /// The media type.
    pub media_type: &'static str,
    /// The content.
    pub content: &'static [u8],
}

impl Asset {
    fn new(stem: &str, extension: &str, media_type: &'static str, content: &'static [u8]) -> Self {
        let digest = hex::encode(Sha256::digest(content));
        Self {
            name: format!("{stem}-{}.{extension}", &digest[..12]),
            media_type,
            content,
        }
    }

    /// Where pages find it.
    pub fn path(&self) -> String {
        format!("/assets/{}", self.name)
    }
}

/// The style sheet.
pub static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    let content = include_bytes!("assets/console.css");
    Asset::new("console", "css", "text/css; charset=utf-8", content)
});

/// The script.
pub static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    let content = include_bytes!("assets/console.js");
    Asset::new("console", "js", "text/javascript; charset=utf-8", content)
});

/// The icon.
pub static ICON: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new(
        "bridge",
        "svg",
        "image/svg+xml",
        include_bytes!("assets/bridge.svg"),
    )
});

/// Every file.
pub fn all() -> [&'static Asset; 3] {
    [&STYLE, &SCRIPT, &ICON]
}

/// The route that serves them.
pub fn router() -> Router {
    Router::new().route("/assets/{name}", get(serve))
}

async fn serve(Path(name): Path<String>) -> Response {
    let Some(asset) = all().into_iter().find(|asset| asset.name == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, asset.media_type),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, asset.content).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_served_by_the_name_that_pages_use_and_may_be_kept_for_good() {
        for asset in all() {
            let answer = serve(Path(asset.name.clone())).await;
            assert_eq!(answer.status(), StatusCode::OK);
            assert_eq!(answer.headers()[header::CONTENT_TYPE], asset.media_type);
            let kept = answer.headers()[header::CACHE_CONTROL].to_str().unwrap();
            assert!(kept.contains("immutable"), "{kept}");
        }
        let unknown = serve(Path("console.css".to_owned())).await;
        assert_eq!(
            unknown.status(),
            StatusCode::NOT_FOUND,
            "a name without its hash would go stale"
        );
    }

    #[test]
    fn nothing_comes_from_another_host() {
        let style = std::str::from_utf8(STYLE.content).unwrap();
        assert!(
            !style.contains("@import") && !style.contains("http"),
            "the style sheet names a host"
        );
        let script = std::str::from_utf8(SCRIPT.content).unwrap();
        assert!(!script.contains("http"), "the script names a host");
    }
}
