//! Renders every page of the console in every state into a folder, from sample data: to look at without a server, and
//! for the browser's checks (`just screenshots`).

mod samples;

use std::path::PathBuf;

use anyhow::Context;
use landbridge_control::console::assets;

fn main() -> anyhow::Result<()> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from).context(
        "name the folder to write to: cargo run -p landbridge-control --example gallery -- <folder>",
    )?;
    std::fs::create_dir_all(folder.join("assets"))?;
    for asset in assets::all() {
        std::fs::write(folder.join("assets").join(&asset.name), asset.content)?;
    }
    let pages = samples::pages();
    for page in &pages {
        // Pages lie beside their assets, so that a browser opens them from the disk as well.
        let html = page.html.replace("=\"/assets/", "=\"assets/");
        let path = folder.join(format!("{}.html", page.name));
        std::fs::write(&path, html).with_context(|| format!("cannot write {}", path.display()))?;
    }
    std::fs::write(folder.join("index.html"), index(&pages))?;
    Ok(())
}

fn index(pages: &[samples::Page]) -> String {
    let list = maud::html! {
        (maud::DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Gallery" }
                link rel="stylesheet" href={ "assets/" (assets::STYLE.name) };
            }
            body {
                main {
                    h1 { "Every page in every state" }
                    ul { @for page in pages { li { a href={ (page.name) ".html" } { (page.name) } } } }
                }
            }
        }
    };
    list.into_string()
}
