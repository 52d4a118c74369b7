//! The dashboards this server shows: those that come with Tidemark, and those of a folder. Read once, at the start; what
//! cannot be read keeps the server from starting, with the file, the line and the column.

use std::{collections::BTreeMap, fs, path::Path};

use app::{
    dashboards::{BUILT_IN, Dashboard},
    ports::DashboardStore,
};

use crate::error::{Error, ErrorKind, Result};

/// Dashboards by name.
#[derive(Debug)]
pub struct Dashboards(BTreeMap<String, Stored>);

#[derive(Debug)]
struct Stored {
    title: String,
    description: String,
    definition: String,
}

impl Dashboards {
    /// Those that come along, and those of a folder's `.json` files. One of the folder takes the place of one of the same
    /// name that comes along; two of the folder may not have the same.
    pub fn load(folder: Option<&Path>) -> Result<Dashboards> {
        let mut all = Dashboards(BTreeMap::new());
        for (file, definition) in BUILT_IN {
            all.add(Path::new(file), definition.to_owned())?;
        }
        let mut own = Dashboards(BTreeMap::new());
        for path in folder.map(definition_files).transpose()?.unwrap_or_default() {
            let unreadable = |e| refused(&path, "cannot be read").because(e);
            let definition = fs::read_to_string(&path).map_err(unreadable)?;
            if let Some(name) = own.add(&path, definition)? {
                return Err(refused(&path, &format!("names its dashboard '{name}', and so does another file")));
            }
        }
        all.0.extend(own.0);
        Ok(all)
    }

    /// Adds a definition; gives its name where there was one of that name.
    fn add(&mut self, path: &Path, definition: String) -> Result<Option<String>> {
        let Dashboard { name, title, description, .. } =
            serde_json::from_str(&definition).map_err(|e| refused(path, &format!("is not a dashboard: {e}")))?;
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.is_empty() || !name.chars().all(plain) {
            let reason = format!("names its dashboard '{name}'; a name is made of a to z, 0 to 9 and -");
            return Err(refused(path, &reason));
        }
        let before = self.0.insert(name.clone(), Stored { title, description, definition });
        Ok(before.map(|_| name))
    }

    /// Name, title and description of each.
    pub fn list(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.0.iter().map(|(name, stored)| (name.as_str(), stored.title.as_str(), stored.description.as_str()))
    }
}

impl DashboardStore for Dashboards {
    fn titles(&self) -> Vec<(String, String)> {
        self.list().map(|(name, title, _)| (name.to_owned(), title.to_owned())).collect()
    }

    fn definition(&self, name: &str) -> Option<String> {
        self.0.get(name).map(|stored| stored.definition.clone())
    }
}

fn definition_files(folder: &Path) -> Result<Vec<std::path::PathBuf>> {
    let unreadable = |e| {
        let message = format!("the folder of dashboards {} cannot be read", folder.display());
        Error::new(ErrorKind::BadRequest, message).because(e)
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
    files.sort();
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
        write("a.json", r#"{"name": "desk", "title": "Desk", "tiles": []}"#);
        write("market.json", r#"{"name": "market", "title": "Our market", "tiles": []}"#);
        write("notes.txt", "no dashboard");
        let dashboards = Dashboards::load(Some(folder.path())).unwrap();
        let titles = dashboards.titles();
        assert!(titles.contains(&("desk".to_owned(), "Desk".to_owned())));
        assert!(titles.contains(&("market".to_owned(), "Our market".to_owned())));
        assert!(dashboards.definition("gallery").is_some());
        assert_eq!(dashboards.definition("elsewhere"), None);
    }

    #[test]
    fn what_is_no_dashboard_is_named_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let load = |text: &str| {
            fs::write(folder.path().join("a.json"), text).unwrap();
            Dashboards::load(Some(folder.path())).unwrap_err().message().to_owned()
        };
        let message = load("{\"name\": \"a\",\n \"titel\": \"A\"}");
        assert!(message.contains("a.json") && message.contains("titel") && message.contains("line 2"), "{message}");
        assert!(load(r#"{"name": "../a", "title": "A", "tiles": []}"#).contains("'../a'"));
        fs::write(folder.path().join("b.json"), r#"{"name": "a", "title": "A", "tiles": []}"#).unwrap();
        assert!(load(r#"{"name": "a", "title": "A", "tiles": []}"#).contains("so does another file"));
        assert!(Dashboards::load(Some(&folder.path().join("none"))).unwrap_err().message().contains("none"));
    }
}
