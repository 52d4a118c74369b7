//! `tidemark dashboards`: keeps the stored dashboards of a server and a folder of files, as under version control, alike.

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use app::dashboards::ListedDashboard;
use clap::{Args, Subcommand, ValueEnum};
use reqwest::{Client, Response, StatusCode};

use super::{DEFAULT_URL, accepted, block_on, unreachable};
use crate::{
    api::dashboards::{Applied, DefinitionFile, FileMistake, Files},
    dashboards::{
        reading::{self, Syntax},
        saving::Outcome,
    },
    error::{Error, ErrorKind, Result},
};

/// What a dry run ends with where something would be changed.
const WOULD_CHANGE: u8 = 2;
/// Folders in folders that are looked into at most.
const DEPTH_MAX: usize = 16;

/// Arguments of `tidemark dashboards`.
#[derive(Debug, Args)]
pub struct DashboardsArguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Store the definitions of a folder's files (.yaml, .yml, .json), all in one epoch, or none where one is not right.
    Apply(ApplyArguments),
    /// Write the stored dashboards into a folder, a file each.
    Export(ExportArguments),
}

#[derive(Debug, Args)]
struct ApplyArguments {
    /// The folder; those in it are looked into, too.
    folder: PathBuf,
    /// Say what would be changed, and change nothing. Ends with 2 where something would be.
    #[arg(long)]
    dry_run: bool,
    /// Delete stored dashboards that no file defines.
    #[arg(long)]
    prune: bool,
    /// Who does it; kept with the change.
    #[arg(long, default_value = "", env = "TIDEMARK_AUTHOR")]
    author: String,
    /// Why; kept with the change.
    #[arg(long, default_value = "")]
    note: String,
    /// Tidemark's address.
    #[arg(long, default_value = DEFAULT_URL, env = "TIDEMARK_URL")]
    url: String,
}

#[derive(Debug, Args)]
struct ExportArguments {
    /// The folder; dashboards in folders are written into folders in it.
    folder: PathBuf,
    /// As they were known at this time. Default: as they are.
    #[arg(long)]
    system_time: Option<String>,
    /// Those that come with the server as well.
    #[arg(long)]
    all: bool,
    /// How they are written.
    #[arg(long, value_enum, default_value_t = Written::Yaml)]
    format: Written,
    /// Tidemark's address.
    #[arg(long, default_value = DEFAULT_URL, env = "TIDEMARK_URL")]
    url: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Written {
    /// For people.
    Yaml,
    /// For programs.
    Json,
}

/// Does what the arguments say, and prints a line for each dashboard.
pub fn run(arguments: DashboardsArguments) -> Result<ExitCode> {
    match arguments.command {
        Command::Apply(arguments) => block_on(apply(arguments)),
        Command::Export(arguments) => block_on(export(arguments)).map(|()| ExitCode::SUCCESS),
    }
}

async fn apply(arguments: ApplyArguments) -> Result<ExitCode> {
    let ApplyArguments { folder, dry_run, prune, author, note, url } = arguments;
    let mut files = Vec::new();
    for path in definition_files(&folder)? {
        let unreadable = |e| Error::new(ErrorKind::BadRequest, format!("{} cannot be read", path.display())).because(e);
        let text = fs::read_to_string(&path).map_err(unreadable)?;
        let file = path.strip_prefix(&folder).unwrap_or(&path).to_string_lossy().into_owned();
        files.push(DefinitionFile { file, text });
    }
    if files.is_empty() {
        let message =
            format!("there is no file that ends with .yaml, .yml or .json in {}; nothing was done", folder.display());
        return Err(Error::new(ErrorKind::BadRequest, message));
    }
    let request = Client::new()
        .post(format!("{}/api/v1/dashboards", url.trim_end_matches('/')))
        .query(&[("dry_run", dry_run), ("prune", prune)])
        .json(&Files { files, author, note });
    let response = request.send().await.map_err(|e| unreachable(&url, e))?;
    let unreadable = |e| Error::new(ErrorKind::Internal, "the answer cannot be read").because(e);
    let Applied { changes } = applied(response).await?.json().await.map_err(unreadable)?;
    let mut out = std::io::stdout().lock();
    let mut changed = 0;
    for change in &changes {
        let word = match change.outcome {
            Outcome::Created => "created",
            Outcome::Replaced => "replaced",
            Outcome::Restored => "restored",
            Outcome::Deleted => "deleted",
            Outcome::Unchanged => "unchanged",
        };
        let differs = change.outcome != Outcome::Unchanged;
        changed += usize::from(differs);
        let word = if dry_run && differs { format!("would be {word}") } else { word.to_owned() };
        writeln!(out, "{word:<18} {}", change.name)?;
    }
    match (dry_run, changed) {
        (_, 0) => writeln!(out, "nothing to change")?,
        (true, changed) => writeln!(out, "{changed} would be changed; nothing was done")?,
        (false, changed) => writeln!(out, "{changed} changed in one epoch")?,
    }
    Ok(if dry_run && changed > 0 { ExitCode::from(WOULD_CHANGE) } else { ExitCode::SUCCESS })
}

/// The answer, or every mistake in the files, a line each.
async fn applied(response: Response) -> Result<Response> {
    if response.status() != StatusCode::UNPROCESSABLE_ENTITY {
        return accepted(response).await;
    }
    let problem: serde_json::Value = response.json().await.unwrap_or_default();
    let mistakes: Vec<FileMistake> = serde_json::from_value(problem["problems"].clone()).unwrap_or_default();
    let line = |FileMistake { file, mistake }: &FileMistake| {
        let place = match (mistake.line, mistake.column) {
            (Some(line), Some(column)) => format!(":{line}:{column}"),
            _ => String::new(),
        };
        let member = if mistake.path.is_empty() { String::new() } else { format!("{} ", mistake.path) };
        format!("\n  {file}{place}: {member}{}", mistake.reason)
    };
    let message = match mistakes.is_empty() {
        true => problem["detail"].as_str().unwrap_or("the files were refused").to_owned(),
        false => format!("nothing was applied:{}", mistakes.iter().map(line).collect::<String>()),
    };
    Err(Error::new(ErrorKind::Unprocessable, message))
}

async fn export(arguments: ExportArguments) -> Result<()> {
    let ExportArguments { folder, system_time, all, format, url } = arguments;
    let syntax = if format == Written::Yaml { Syntax::Yaml } else { Syntax::Json };
    let base = format!("{}/api/v1/dashboards", url.trim_end_matches('/'));
    let client = Client::new();
    let at: Vec<(&str, &str)> = system_time.iter().map(|time| ("system_time", time.as_str())).collect();
    let get = async |address: String, more: &[(&str, &str)]| {
        let answer = client.get(address).query(&at).query(more).send().await.map_err(|e| unreachable(&url, e))?;
        accepted(answer).await
    };
    let unreadable = |e| Error::new(ErrorKind::Internal, "the answer cannot be read").because(e);
    let listed: Vec<ListedDashboard> = get(base.clone(), &[]).await?.json().await.map_err(unreadable)?;
    // All of them before the first file, so that what breaks off leaves the folder as it was.
    let mut files = BTreeMap::new();
    for one in listed.iter().filter(|one| all || one.origin == "stored") {
        let answer = get(format!("{base}/{}", one.name), &[("format", syntax.ending())]).await?;
        let text = answer.text().await.map_err(unreadable)?;
        files.insert(file_of(&folder, one, syntax)?, text);
    }
    let others = others_of_the_same(&folder, &files)?;
    let mut out = std::io::stdout().lock();
    for (path, text) in &files {
        let same = fs::read_to_string(path).is_ok_and(|known| known == *text);
        if !same {
            let unwritable = |e| Error::new(ErrorKind::Io, format!("{} cannot be written", path.display())).because(e);
            path.parent().map_or(Ok(()), fs::create_dir_all).map_err(unwritable)?;
            fs::write(path, text).map_err(unwritable)?;
        }
        writeln!(out, "{:<18} {}", if same { "unchanged" } else { "written" }, path.display())?;
    }
    for path in others {
        writeln!(out, "{:<18} {} (defines the same dashboard; remove it)", "left alone", path.display())?;
    }
    if files.is_empty() {
        writeln!(out, "nothing is stored; --all exports what comes with the server")?;
    }
    Ok(())
}

/// Where a dashboard is written. What a server says of folders never leads out of the folder.
fn file_of(folder: &Path, listed: &ListedDashboard, syntax: Syntax) -> Result<PathBuf> {
    let mut path = folder.to_path_buf();
    for part in listed.folder.split('/').filter(|part| !part.is_empty()) {
        if matches!(part, "." | "..") || part.contains(['\\', '\0']) {
            let message =
                format!("the dashboard '{}' is in the folder '{}', which is none", listed.name, listed.folder);
            return Err(Error::new(ErrorKind::Unprocessable, message));
        }
        path.push(part);
    }
    if !app::dashboards::is_name(&listed.name) {
        return Err(Error::new(ErrorKind::Unprocessable, format!("'{}' is no name of a dashboard", listed.name)));
    }
    path.push(format!("{}.{}", listed.name, syntax.ending()));
    Ok(path)
}

/// Files that were there already and define what is written elsewhere: applied together they would contradict each other.
fn others_of_the_same(folder: &Path, files: &BTreeMap<PathBuf, String>) -> Result<Vec<PathBuf>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let written: Vec<_> = files.keys().filter_map(|path| path.file_stem()).collect();
    let mut others = definition_files(folder)?;
    others.retain(|path| {
        let Some(syntax) = syntax_of(path).filter(|_| !files.contains_key(path)) else { return false };
        let name = fs::read_to_string(path).ok().and_then(|text| reading::read(&text, syntax).ok()).map(|d| d.name);
        name.is_some_and(|name| written.iter().any(|known| known.to_str() == Some(&name)))
    });
    Ok(others)
}

fn syntax_of(path: &Path) -> Option<Syntax> {
    Syntax::of_file(&path.file_name()?.to_string_lossy())
}

/// The files of a folder and the folders in it that hold definitions, by path. Hidden ones and links to folders are left out.
fn definition_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![(folder.to_path_buf(), 0)];
    while let Some((folder, depth)) = open.pop() {
        let unreadable =
            |e| Error::new(ErrorKind::BadRequest, format!("the folder {} cannot be read", folder.display())).because(e);
        for entry in fs::read_dir(&folder).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            if entry.file_name().to_string_lossy().starts_with('.') {
                continue;
            }
            let is_folder = entry.file_type().map_err(unreadable)?.is_dir();
            if is_folder && depth < DEPTH_MAX {
                open.push((entry.path(), depth + 1));
            } else if !is_folder && syntax_of(&entry.path()).is_some() {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(name: &str, folder: &str) -> ListedDashboard {
        ListedDashboard {
            name: name.to_owned(),
            title: String::new(),
            description: String::new(),
            folder: folder.to_owned(),
            tags: Vec::new(),
            origin: "stored".to_owned(),
            tag: String::new(),
            version: None,
        }
    }

    #[test]
    fn files_lie_in_folders_and_never_outside() {
        let of = |name: &str, folder: &str| file_of(Path::new("x"), &listed(name, folder), Syntax::Yaml);
        assert_eq!(of("desk", "risk/credit").unwrap(), Path::new("x/risk/credit/desk.yaml"));
        assert_eq!(of("desk", "/").unwrap(), Path::new("x/desk.yaml"));
        for (name, folder) in [("desk", "../.."), ("desk", "a/../../b"), ("../desk", ""), ("", "")] {
            assert!(of(name, folder).is_err(), "{name} {folder}");
        }
    }

    #[test]
    fn folders_are_looked_into_and_hidden_files_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let write = |file: &str| {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        };
        ["b.yaml", "a/c.json", ".git/d.yaml", "notes.md", ".e.yaml", "a/b/f.yml"].map(write);
        let found = definition_files(folder.path()).unwrap();
        let found: Vec<_> =
            found.iter().map(|path| path.strip_prefix(folder.path()).unwrap().to_str().unwrap()).collect();
        assert_eq!(found, ["a/b/f.yml", "a/c.json", "b.yaml"]);
    }
}
