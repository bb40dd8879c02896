//! The OpenAPI document as a page: drawn here, with nothing from other hosts and no script.

use serde_json::Value;
use utoipa::openapi::OpenApi;

/// Nothing is loaded, and nothing runs.
pub(super) const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const STYLE: &str = "\
:root{color-scheme:light dark;--line:color-mix(in srgb,currentColor 18%,transparent)}\
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1.5rem}\
code,pre{font:14px/1.45 ui-monospace,monospace}\
details{border:1px solid var(--line);border-radius:6px;margin:.5rem 0;padding:.5rem .75rem}\
summary{cursor:pointer;overflow-wrap:anywhere}\
summary b{display:inline-block;min-width:4.2rem}\
table{border-collapse:collapse;width:100%}td,th{border-top:1px solid var(--line);padding:.3rem .5rem .3rem 0;\
text-align:left;vertical-align:top}pre{overflow-x:auto}";

/// The page.
pub(super) fn page(document: &OpenApi) -> String {
    let document = serde_json::to_value(document).unwrap_or_default();
    let mut body = format!(
        "<h1>{}</h1><p>{}</p><p><a href=\"/api/v1/openapi.json\">The OpenAPI document</a></p>",
        escape(text(&document["info"]["title"])),
        escape(text(&document["info"]["description"]))
    );
    let mut tag = String::new();
    for (path, method, operation) in operations(&document) {
        let its_tag = text(&operation["tags"][0]);
        if its_tag != tag {
            its_tag.clone_into(&mut tag);
            body.push_str(&format!("<h2>{}</h2>", escape(its_tag)));
        }
        body.push_str(&section(path, method, operation));
    }
    body.push_str("<h2>Schemas</h2>");
    for (name, schema) in document["components"]["schemas"]
        .as_object()
        .into_iter()
        .flatten()
    {
        let json = serde_json::to_string_pretty(schema).unwrap_or_default();
        let name = escape(name);
        body.push_str(&format!(
            "<details id=\"{name}\"><summary><code>{name}</code></summary><pre>{}</pre></details>",
            escape(&json)
        ));
    }
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width,initial-scale=1\"><title>Landbridge API</title><style>{STYLE}</style></head>\
         <body><main>{body}</main></body></html>"
    )
}

/// All operations, by tag.
fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let paths = document["paths"].as_object().into_iter().flatten();
    let mut all: Vec<(&str, &str, &Value)> = paths
        .flat_map(|(path, item)| {
            let methods = item.as_object().into_iter().flatten();
            methods.map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
        })
        .filter(|(_, _, operation)| operation.is_object())
        .collect();
    all.sort_by_key(|(path, _, operation)| (text(&operation["tags"][0]).to_owned(), path.to_owned()));
    all
}

fn section(path: &str, method: &str, operation: &Value) -> String {
    let mut inner = format!("<p>{}</p>", escape(text(&operation["description"])));
    let parameters = operation["parameters"].as_array().map_or(&[][..], Vec::as_slice);
    if !parameters.is_empty() {
        inner.push_str("<table><tr><th>Parameter</th><th>In</th><th></th></tr>");
        for parameter in parameters {
            inner.push_str(&format!(
                "<tr><td><code>{}</code></td><td>{}</td><td>{}</td></tr>",
                escape(text(&parameter["name"])),
                escape(text(&parameter["in"])),
                escape(text(&parameter["description"]))
            ));
        }
        inner.push_str("</table>");
    }
    for (_, content) in operation["requestBody"]["content"]
        .as_object()
        .into_iter()
        .flatten()
    {
        inner.push_str(&format!("<p>Takes {}</p>", shape(&content["schema"])));
    }
    for (status, response) in operation["responses"].as_object().into_iter().flatten() {
        let content = response["content"].as_object().into_iter().flatten().next();
        let shape = content.map_or_else(String::new, |(_, content)| shape(&content["schema"]));
        inner.push_str(&format!("<p><code>{}</code> {shape}</p>", escape(status)));
    }
    format!(
        "<details><summary><b>{}</b> <code>{}</code> {}</summary>{inner}</details>",
        method.to_uppercase(),
        escape(path),
        escape(text(&operation["summary"]))
    )
}

/// A schema's name as a link, or what it is.
fn shape(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|at| at.rsplit('/').next()) {
        let name = escape(name);
        return format!("<a href=\"#{name}\"><code>{name}</code></a>");
    }
    if schema["type"] == "array" {
        return format!("a list of {}", shape(&schema["items"]));
    }
    format!("<code>{}</code>", escape(text(&schema["type"])))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
