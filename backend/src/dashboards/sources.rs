//! Dashboards that are not stored in the lake: those that come with Tidemark, and those of a folder. Read once, at the start;
//! what cannot be read keeps the server from starting, with the file, the line and the column.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use app::dashboards::{BUILT_IN, Dashboard};
use serde::Serialize;

use super::reading::{self, Syntax};
use crate::error::{Error, ErrorKind, Result};

/// Where a dashboard is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// It is stored in the lake, with all its versions.
    Stored,
    /// It comes with Tidemark.
    BuiltIn,
    /// It is a file of the folder of dashboards.
    File,
}

/// Dashboards by name.
#[derive(Debug, Default)]
pub struct Sources(BTreeMap<String, Arc<Source>>);

/// A dashboard and where it is from.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// Where it is from.
    pub origin: Origin,
    /// The definition.
    pub dashboard: Dashboard,
}

impl Sources {
    /// Those that come along, and those of a folder's files. One of the folder takes the place of one of the same name that
    /// comes along; two of the folder may not have the same.
    pub fn load(folder: Option<&Path>) -> Result<Sources> {
        let mut all = Sources::default();
        for (file, text) in BUILT_IN {
            let dashboard = read(Path::new(file), text, Syntax::Json)?;
            all.0.insert(dashboard.name.clone(), Arc::new(Source { origin: Origin::BuiltIn, dashboard }));
        }
        let mut own = BTreeMap::new();
        for (path, syntax) in folder.map(definition_files).transpose()?.unwrap_or_default() {
            let unreadable = |e| refused(&path, "cannot be read").because(e);
            let dashboard = read(&path, &fs::read_to_string(&path).map_err(unreadable)?, syntax)?;
            let name = dashboard.name.clone();
            if own.insert(name.clone(), Arc::new(Source { origin: Origin::File, dashboard })).is_some() {
                return Err(refused(&path, &format!("names its dashboard '{name}', and so does another file")));
            }
        }
        all.0.extend(own);
        Ok(all)
    }

    /// The one of that name.
    pub fn get(&self, name: &str) -> Option<&Arc<Source>> {
        self.0.get(name)
    }

    /// All of them, by name.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Source>> {
        self.0.values()
    }
}

fn read(path: &Path, text: &str, syntax: Syntax) -> Result<Dashboard> {
    reading::read(text, syntax).map_err(|mistakes| {
        let first = mistakes.first().map(ToString::to_string).unwrap_or_default();
        refused(path, &format!("is not a dashboard: {first}"))
    })
}

/// The files of a folder that hold definitions, by path. Those of folders in it are not among them.
fn definition_files(folder: &Path) -> Result<Vec<(PathBuf, Syntax)>> {
    let unreadable = |e| {
        let message = format!("the folder of dashboards {} cannot be read", folder.display());
        Error::new(ErrorKind::BadRequest, message).because(e)
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let syntax = path.file_name().and_then(|name| Syntax::of_file(&name.to_string_lossy()));
        files.extend(syntax.map(|syntax| (path, syntax)));
    }
    files.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(files)
}

fn refused(path: &Path, reason: &str) -> Error {
    Error::new(ErrorKind::BadRequest, format!("the dashboard file {} {reason}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_adds_dashboards_and_replaces_those_that_come_along() {
        let folder = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| fs::write(folder.path().join(file), text).unwrap();
        write("a.yaml", "name: desk\ntitle: Desk\ntiles: []\n");
        write("market.json", r#"{"name": "market", "title": "Our market", "tiles": []}"#);
        write("notes.txt", "no dashboard");
        let sources = Sources::load(Some(folder.path())).unwrap();
        let origin = |name: &str| sources.get(name).map(|source| (source.origin, source.dashboard.title.as_str()));
        assert_eq!(origin("desk"), Some((Origin::File, "Desk")));
        assert_eq!(origin("market"), Some((Origin::File, "Our market")));
        assert_eq!(origin("gallery").map(|known| known.0), Some(Origin::BuiltIn));
        assert_eq!(origin("elsewhere"), None);
    }

    #[test]
    fn what_comes_along_is_named_like_its_file_and_says_the_same_again() {
        for (file, text) in BUILT_IN {
            let dashboard = read(Path::new(file), text, Syntax::Json).unwrap();
            assert_eq!(format!("built_in/{}.json", dashboard.name), file);
            for syntax in [Syntax::Json, Syntax::Yaml] {
                let text = reading::write(&dashboard, syntax).unwrap();
                assert_eq!(reading::read(&text, syntax).as_ref(), Ok(&dashboard), "{text}");
            }
        }
    }

    #[test]
    fn what_is_no_dashboard_is_named_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let load = |text: &str| {
            fs::write(folder.path().join("a.json"), text).unwrap();
            Sources::load(Some(folder.path())).unwrap_err().message().to_owned()
        };
        let message = load("{\"name\": \"a\",\n \"titel\": \"A\"}");
        assert!(message.contains("a.json") && message.contains("titel") && message.contains("line 2"), "{message}");
        assert!(load(r#"{"name": "../a", "title": "A", "tiles": []}"#).contains("'../a'"));
        fs::write(folder.path().join("b.json"), r#"{"name": "a", "title": "A", "tiles": []}"#).unwrap();
        assert!(load(r#"{"name": "a", "title": "A", "tiles": []}"#).contains("so does another file"));
        assert!(Sources::load(Some(&folder.path().join("none"))).unwrap_err().message().contains("none"));
    }
}
