//! Metadata elements, read with their file and name at hand for complaints.

use super::FolderError;
use roxmltree::{Document, Node};
use std::path::{Path, PathBuf};

/// Parses a file's text.
pub(super) fn parse<'t>(file: &Path, text: &'t str) -> Result<Document<'t>, FolderError> {
    Document::parse(text).map_err(|error| FolderError::Malformed {
        file: file.to_path_buf(),
        problem: error.to_string(),
    })
}

/// An element of a metadata file.
#[derive(Clone)]
pub(super) struct Element<'d> {
    file: PathBuf,
    node: Node<'d, 'd>,
}

impl<'d> Element<'d> {
    /// The root, which must have this name.
    pub(super) fn root(
        file: &Path,
        document: &'d Document<'d>,
        name: &str,
    ) -> Result<Element<'d>, FolderError> {
        let node = document.root_element();
        let root = Element {
            file: file.to_path_buf(),
            node,
        };
        if node.tag_name().name() == name {
            return Ok(root);
        }
        Err(root.wrong(node.tag_name().name(), format!("stands where <{name}> is due")))
    }

    /// The first child element of a name.
    pub(super) fn child(&self, name: &str) -> Option<Element<'d>> {
        self.children(name).next()
    }

    /// All child elements of a name.
    pub(super) fn children(&self, name: &str) -> impl Iterator<Item = Element<'d>> {
        let (file, name) = (self.file.clone(), name.to_owned());
        self.node
            .children()
            .filter(move |node| node.is_element() && node.tag_name().name() == name)
            .map(move |node| Element {
                file: file.clone(),
                node,
            })
    }

    /// The element's own text, trimmed.
    pub(super) fn own_text(&self) -> String {
        self.node.text().unwrap_or_default().trim().to_owned()
    }

    /// The trimmed text of a child, if it is there and says something.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.child(name)
            .map(|child| child.own_text())
            .filter(|text| !text.is_empty())
    }

    /// The text of a child that must be there.
    pub(super) fn required(&self, name: &str) -> Result<String, FolderError> {
        self.text(name)
            .ok_or_else(|| self.wrong(name, "is missing or empty".to_owned()))
    }

    /// A child that says `true` or `false`; not being there is `false`.
    pub(super) fn flag(&self, name: &str) -> Result<bool, FolderError> {
        match self.text(name).as_deref() {
            Some("true") => Ok(true),
            Some("false") | None => Ok(false),
            Some(other) => Err(self.wrong(name, format!("must be true or false, not `{other}`"))),
        }
    }

    /// A child that is a whole number.
    pub(super) fn number(&self, name: &str) -> Result<Option<u32>, FolderError> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        text.parse()
            .map(Some)
            .map_err(|_| self.wrong(name, format!("must be a whole number, not `{text}`")))
    }

    /// A complaint about a child.
    pub(super) fn wrong(&self, element: &str, problem: String) -> FolderError {
        FolderError::Element {
            file: self.file.clone(),
            element: element.to_owned(),
            problem,
        }
    }
}
