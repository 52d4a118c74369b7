//! From a request to a stream that will answer it: one snapshot, names bound, planned by DataFusion.

use std::{collections::HashMap, sync::Arc};

use datafusion::{
    arrow::datatypes::SchemaRef,
    catalog::{CatalogProviderList, MemoryCatalogProviderList},
    execution::{
        SendableRecordBatchStream, SessionState, SessionStateBuilder,
        context::SQLOptions,
        disk_manager::{DiskManagerBuilder, DiskManagerMode},
        memory_pool::GreedyMemoryPool,
        runtime_env::RuntimeEnvBuilder,
    },
    physical_plan::execute_stream,
    prelude::SessionConfig,
    sql::{
        parser::Statement as PlannerStatement,
        sqlparser::{ast::Statement, tokenizer::Location},
    },
};
use futures::{StreamExt, TryStreamExt};
use lake::{
    Lake, LakeSnapshot,
    model::{Instant, SnapshotToken},
};

use crate::{
    catalog::{self, Bound, CATALOG, DATASETS, Datasets, QueryCatalog, SYSTEM, SystemTables},
    clause::{self, Reference},
    coordinates::{Coordinates, check_committed, parse_request_time},
    engine::{BatchStream, QueryOptions, QueryRequest},
    error::{Error, ErrorKind, Result, close_names, external, listed, quoted},
    in_order::KeepOrder,
    rows::OUTPUT_ROWS,
    statement::{self, Relation},
    yielding::YieldBehindJoins,
};

/// Plans queries over one lake.
pub(crate) struct Planner {
    lake: Lake,
    system_tables: Arc<dyn SystemTables>,
    /// Copied for each query; its catalogs are empty.
    base: SessionState,
}

/// A query that is ready to run. Nothing is read before the stream is polled.
pub(crate) struct Planned {
    pub(crate) schema: SchemaRef,
    pub(crate) token: SnapshotToken,
    pub(crate) system_time: Instant,
    pub(crate) stream: BatchStream,
}

impl Planner {
    /// Fails when the spill folder cannot be used.
    pub(crate) fn new(lake: Lake, options: QueryOptions, system_tables: Arc<dyn SystemTables>) -> Result<Planner> {
        let mode = match options.spill_folder {
            Some(folder) => DiskManagerMode::Directories(vec![folder]),
            None => DiskManagerMode::Disabled,
        };
        let disk =
            DiskManagerBuilder::default().with_mode(mode).with_max_temp_directory_size(options.spill_limit_bytes);
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(GreedyMemoryPool::new(options.memory_limit_bytes)))
            .with_disk_manager_builder(disk)
            .build_arc()?;
        let base = SessionStateBuilder::new()
            .with_config(session_config())
            .with_runtime_env(runtime)
            .with_default_features()
            .with_physical_optimizer_rule(Arc::new(KeepOrder))
            .with_physical_optimizer_rule(Arc::new(YieldBehindJoins))
            .build();
        Ok(Planner { lake, system_tables, base })
    }

    /// Plans a query. To be called on a thread with a deep stack: plans are trees.
    pub(crate) async fn plan(&self, request: &QueryRequest) -> Result<Planned> {
        let rewritten = clause::rewrite(&request.sql)?;
        let statement = statement::parse(rewritten.tokens)?;
        let relations = statement::relations(&statement);
        check_places(&rewritten.references, &relations)?;

        let snapshot = Arc::new(self.snapshot(request.snapshot.as_deref()).await?);
        let token = snapshot.token().clone();
        let defaults = request_coordinates(request, &token)?;
        let mut state = self.base.clone();
        state.mark_start_execution();
        let bound = self.bind(&state, &snapshot, defaults, &rewritten.references)?;
        let datasets = Datasets { snapshot, defaults, bound };
        self.check_names(&datasets, &relations)?;
        state.register_catalog_list(self.catalogs(datasets));

        let names = PrivateNames::of(&rewritten.references);
        let stream = answer(&state, statement).await.map_err(|error| names.hide(error))?;
        let schema = stream.schema();
        let stream = stream.map_err(move |error| names.hide(error)).boxed();
        Ok(Planned { schema, token, system_time: defaults.system, stream })
    }

    async fn snapshot(&self, token: Option<&str>) -> Result<LakeSnapshot> {
        let parse =
            |text: &str| text.parse::<SnapshotToken>().map_err(|reason| Error::new(ErrorKind::UnknownSnapshot, reason));
        let token = token.map(parse).transpose()?;
        Ok(self.lake.snapshot(token.as_ref()).await?)
    }

    /// Binds each reference that carries clauses to its dataset and coordinates.
    fn bind(
        &self,
        state: &SessionState,
        snapshot: &LakeSnapshot,
        defaults: Coordinates,
        references: &[Reference],
    ) -> Result<HashMap<String, Bound>> {
        let committed = snapshot.token().system_time;
        let bind = |reference: &Reference| {
            let dataset = self.dataset_of(snapshot, reference)?;
            let (valid, system) = (reference.valid_time.as_ref(), reference.system_time.as_ref());
            let coordinates = defaults.overridden(state, valid, system, committed)?;
            Ok((reference.private_name.clone(), Bound { dataset, coordinates }))
        };
        references.iter().map(bind).collect()
    }

    fn dataset_of(&self, snapshot: &LakeSnapshot, reference: &Reference) -> Result<String> {
        let (schema, name) = qualified(&reference.name);
        if schema != Some(DATASETS) {
            let message = format!("'{}' is not a dataset and has no times to ask for", reference.name.join("."));
            return Err(Error::new(ErrorKind::Unsupported, message).at(reference.clause_location));
        }
        match catalog::find(snapshot, name).map_err(|error| error.at(reference.location))? {
            Some(_) => Ok(name.to_owned()),
            None => Err(self.unknown_table(snapshot, &reference.name, reference.location)),
        }
    }

    /// Refuses tables that do not exist, in words that help; DataFusion would name neither place nor choice.
    fn check_names(&self, datasets: &Datasets, relations: &[Relation]) -> Result<()> {
        let snapshot = &datasets.snapshot;
        for Relation { name, location, in_scope } in relations {
            let own = name.len() == 1 && (in_scope.contains(&name[0]) || datasets.bound.contains_key(&name[0]));
            let (schema, table) = qualified(name);
            let exists = own
                || match schema {
                    Some(DATASETS) => datasets.find(table).map_err(|error| error.at(*location))?.is_some(),
                    Some(SYSTEM) => self.system_tables.names().iter().any(|known| known == table),
                    Some("information_schema") => true,
                    _ => false,
                };
            if !exists {
                return Err(self.unknown_table(snapshot, name, *location));
            }
        }
        Ok(())
    }

    fn unknown_table(&self, snapshot: &LakeSnapshot, name: &[String], location: Location) -> Error {
        let mut names = catalog::dataset_names(snapshot);
        names.extend(self.system_tables.names().into_iter().map(|name| format!("{SYSTEM}.{name}")));
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let wanted = name.join(".");
        let near = close_names(&wanted, names.iter().copied());
        let mut message = format!("there is no table '{wanted}'");
        if !near.is_empty() {
            message.push_str(&format!("; did you mean {}?", quoted(&near)));
        } else if names.is_empty() {
            message.push_str("; no dataset is defined yet");
        } else {
            message.push_str(&format!("; there are {}", listed(&names)));
        }
        Error::new(ErrorKind::UnknownTable, message).at(location)
    }

    fn catalogs(&self, datasets: Datasets) -> Arc<dyn CatalogProviderList> {
        let catalogs = MemoryCatalogProviderList::new();
        let catalog = QueryCatalog::new(datasets, self.system_tables.clone());
        catalogs.register_catalog(CATALOG.to_owned(), Arc::new(catalog));
        Arc::new(catalogs)
    }
}

/// One partition and unions kept as written, so that rows come in the same order each time; times in UTC; places kept for errors.
fn session_config() -> SessionConfig {
    let mut config = SessionConfig::new()
        .with_target_partitions(1)
        .with_batch_size(OUTPUT_ROWS)
        .with_information_schema(true)
        .with_create_default_catalog_and_schema(false)
        .with_default_catalog_and_schema(CATALOG, DATASETS);
    let options = config.options_mut();
    options.execution.time_zone = Some("+00:00".to_owned());
    options.optimizer.prefer_existing_union = true;
    options.sql_parser.collect_spans = true;
    config
}

async fn answer(state: &SessionState, statement: Statement) -> datafusion::common::Result<SendableRecordBatchStream> {
    let plan = state.statement_to_plan(PlannerStatement::Statement(Box::new(statement))).await?;
    let reads = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    reads.verify_plan(&plan).map_err(|error| external(statement::only_queries().caused_by(error)))?;
    let plan = state.create_physical_plan(&plan).await?;
    execute_stream(plan, state.task_ctx())
}

fn request_coordinates(request: &QueryRequest, token: &SnapshotToken) -> Result<Coordinates> {
    let valid = request.valid_time.as_deref().map(|text| parse_request_time("valid_time", text)).transpose()?;
    let system = request.system_time.as_deref().map(|text| parse_request_time("system_time", text)).transpose()?;
    let system = system.unwrap_or(token.system_time);
    check_committed(system, token.system_time)?;
    Ok(Coordinates { valid, system })
}

/// A clause must stand behind a table, and that table must not be a name WITH brought.
fn check_places(references: &[Reference], relations: &[Relation]) -> Result<()> {
    for reference in references {
        let relation = relations.iter().find(|relation| relation.name[..] == [reference.private_name.clone()]);
        let Some(relation) = relation else {
            let message = "a temporal clause stands behind the name of a dataset or its alias, in FROM or JOIN";
            return Err(Error::new(ErrorKind::Syntax, message).at(reference.clause_location));
        };
        if let [name] = &reference.name[..]
            && relation.in_scope.contains(name)
        {
            let message =
                format!("'{name}' is a WITH name here and has no times of its own; write the clause inside the WITH");
            return Err(Error::new(ErrorKind::Unsupported, message).at(reference.clause_location));
        }
    }
    Ok(())
}

/// The schema a name is looked up in, if it is in our catalog, and the table's own name.
fn qualified(name: &[String]) -> (Option<&str>, &str) {
    match name {
        [table] => (Some(DATASETS), table),
        [schema, table] => (Some(schema), table),
        [catalog, schema, table] if catalog == CATALOG => (Some(schema), table),
        _ => (None, name.last().map_or("", String::as_str)),
    }
}

/// Puts the names the user wrote where a message shows private ones.
struct PrivateNames(Vec<(String, String)>);

impl PrivateNames {
    fn of(references: &[Reference]) -> PrivateNames {
        // The last first: gdp@1 is a part of gdp@10.
        let pairs = references.iter().rev();
        PrivateNames(pairs.map(|reference| (reference.private_name.clone(), reference.name.join("."))).collect())
    }

    fn hide(&self, error: impl Into<Error>) -> Error {
        let replace = |text: String| self.0.iter().fold(text, |text, (private, name)| text.replace(private, name));
        error.into().map_message(replace)
    }
}
