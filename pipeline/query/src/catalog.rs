//! What one query can name: the datasets of one snapshot, those of its references that carry clauses, and the system
//! tables. Made anew for each query; nothing in it can be changed or added, and no file of the machine can be named.

use std::{
    any::Any,
    collections::{BTreeMap, HashMap, HashSet},
    fmt,
    sync::Arc,
};

use async_trait::async_trait;
use datafusion::{
    arrow::{array::RecordBatch, datatypes::SchemaRef},
    catalog::{CatalogProvider, MemTable, SchemaProvider, Session, TableProvider},
    common::{DFSchema, Result, TableReference},
    datasource::{TableType, ViewTable, provider_as_source},
    logical_expr::{Expr, LogicalPlanBuilder, TableProviderFilterPushDown},
    physical_plan::ExecutionPlan,
};
use lake::{
    ErrorKind, LakeSnapshot, TableSnapshot,
    model::{
        DatasetDefinition,
        arrow_layout::version_schema,
        definition::{OWN_PREFIX, is_own},
    },
};

use crate::{
    coordinates::Coordinates,
    error::external,
    filters::KeyCondition,
    layout::{DiffSide, Layout, diff_schema},
    planner::qualified,
    request_filters::{self, Condition, Filtered},
    resolve_exec::ResolveExec,
    statement::Relation,
};

/// The catalog every unqualified name is looked up in.
pub(crate) const CATALOG: &str = "tidemark";
/// Its schema of datasets.
pub(crate) const DATASETS: &str = "public";
/// Its schema of tables about Tidemark itself.
pub(crate) const SYSTEM: &str = "system";

/// Tables about Tidemark itself, such as `system.epochs`.
///
/// They are not temporal and not part of a snapshot: they say how things stand when they are read. What Tidemark keeps of
/// itself in a dataset is read from there instead, with both times, as soon as there is one.
pub trait SystemTables: Send + Sync {
    /// The names of the tables, without `system.`.
    fn names(&self) -> Vec<String>;
    /// The table of that name as it stands now.
    fn table(&self, name: &str) -> Option<RecordBatch>;
}

/// What a private name of the query stands for.
pub(crate) enum Bound {
    /// A dataset whose reference carries clauses.
    Dataset { dataset: String, coordinates: Coordinates },
    /// What differs between two readings of a dataset.
    Diff { dataset: String, before: DiffSide, after: DiffSide },
    /// Rows made of the call's arguments alone.
    Rows(RecordBatch),
}

/// The datasets of one snapshot at the coordinates of one query.
pub(crate) struct Datasets {
    pub(crate) snapshot: Arc<LakeSnapshot>,
    /// For tables that name no coordinates.
    pub(crate) defaults: Coordinates,
    /// By private name.
    pub(crate) bound: HashMap<String, Bound>,
    /// What passes of each dataset.
    pub(crate) filtered: Filtered,
    /// Whether the plan is wanted rather than the answer: then what each axis prunes is counted.
    pub(crate) explain: bool,
}

impl Datasets {
    /// The dataset of that name, if the snapshot has it.
    pub(crate) fn find(&self, name: &str) -> crate::Result<Option<TableSnapshot>> {
        find(&self.snapshot, name)
    }

    /// The datasets that a statement with these relations reads, each with its definition and in how many places.
    pub(crate) fn read(&self, relations: &[Relation]) -> crate::Result<BTreeMap<String, (DatasetDefinition, usize)>> {
        let bound = self.bound.values().filter_map(|bound| match bound {
            Bound::Dataset { dataset, .. } | Bound::Diff { dataset, .. } => Some(dataset.as_str()),
            Bound::Rows(_) => None,
        });
        let plain = relations.iter().filter_map(|Relation { name, in_scope, .. }| match qualified(name) {
            (Some(DATASETS), table) if name.len() > 1 || !in_scope.contains(table) => Some(table),
            _ => None,
        });
        let mut read: BTreeMap<String, (DatasetDefinition, usize)> = BTreeMap::new();
        // Private names are found among the relations too, and are no dataset's.
        for name in bound.chain(plain.filter(|table| !self.bound.contains_key(*table))) {
            match read.get_mut(name) {
                Some((_, places)) => *places += 1,
                None => {
                    let Some(table) = self.find(name)? else { continue };
                    read.insert(name.to_owned(), (table.dataset().definition.clone(), 1));
                }
            }
        }
        Ok(read)
    }

    fn conditions(&self, dataset: &str) -> &[Condition] {
        self.filtered.conditions.get(dataset).map_or(&[], Vec::as_slice)
    }
}

/// The dataset of that name in a snapshot; an error when it exists and cannot be read.
pub(crate) fn find(snapshot: &LakeSnapshot, name: &str) -> crate::Result<Option<TableSnapshot>> {
    match snapshot.table(name) {
        Ok(table) => Ok(Some(table)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The dataset that a table of the schema `system` is kept in, if it is a dataset at all. Such a table has both times.
pub(crate) fn own_dataset(snapshot: &LakeSnapshot, table: &str) -> crate::Result<Option<TableSnapshot>> {
    find(snapshot, &format!("{OWN_PREFIX}{table}"))
}

/// The names of the datasets that can be read, in order; those of Tidemark itself are not among them.
pub(crate) fn dataset_names(snapshot: &LakeSnapshot) -> Vec<String> {
    let mut names: Vec<String> = snapshot.datasets().into_iter().map(|dataset| dataset.name.clone()).collect();
    names.retain(|name| !is_own(name) && snapshot.table(name).is_ok());
    names.sort_unstable();
    names
}

impl fmt::Debug for Datasets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Datasets").field("token", self.snapshot.token()).finish_non_exhaustive()
    }
}

#[async_trait]
impl SchemaProvider for Datasets {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn table_names(&self) -> Vec<String> {
        dataset_names(&self.snapshot)
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let (dataset, shape) = match self.bound.get(name) {
            Some(Bound::Dataset { dataset, coordinates }) => (dataset.as_str(), Shape::Versions(*coordinates)),
            Some(Bound::Diff { dataset, before, after }) => (dataset.as_str(), Shape::Diff(*before, *after)),
            Some(Bound::Rows(batch)) => {
                let table = MemTable::try_new(batch.schema(), vec![vec![batch.clone()]])?;
                return Ok(Some(Arc::new(table)));
            }
            None => (name, Shape::Versions(self.defaults)),
        };
        let Some(table) = self.find(dataset).map_err(external)? else { return Ok(None) };
        DatasetTable::new(table, shape, self.explain)
            .map_err(external)?
            .filtered(name, self.conditions(dataset))
            .map(Some)
    }

    async fn table_type(&self, name: &str) -> Result<Option<TableType>> {
        Ok(self.table_exist(name).then_some(TableType::Base))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.bound.contains_key(name) || self.snapshot.table(name).is_ok()
    }
}

/// What is read of a dataset.
#[derive(Debug, Clone, Copy)]
enum Shape {
    Versions(Coordinates),
    Diff(DiffSide, DiffSide),
}

/// One dataset at fixed coordinates.
struct DatasetTable {
    table: TableSnapshot,
    shape: Shape,
    schema: SchemaRef,
    /// Of a diff: what a version has to meet on either side.
    sides: Vec<Condition>,
    explain: bool,
}

impl DatasetTable {
    /// Fails for a diff whose columns would not have different names.
    fn new(table: TableSnapshot, shape: Shape, explain: bool) -> crate::Result<DatasetTable> {
        let dataset = table.dataset();
        let schema = match shape {
            Shape::Versions(_) => version_schema(&dataset.definition),
            Shape::Diff(..) => diff_schema(&dataset.definition),
        };
        let mut names = HashSet::new();
        if let Some(twice) = schema.fields().iter().find(|field| !names.insert(field.name())) {
            let message = format!("diff cannot show '{}': it would have two columns '{}'", dataset.name, twice.name());
            return Err(crate::Error::new(crate::ErrorKind::Unsupported, message));
        }
        Ok(DatasetTable { table, shape, schema, sides: Vec::new(), explain })
    }

    /// What passes of it, as a table of that name: planned like `SELECT * FROM name WHERE …`.
    fn filtered(mut self, name: &str, conditions: &[Condition]) -> Result<Arc<dyn TableProvider>> {
        let definition = &self.table.dataset().definition;
        let above = match self.shape {
            Shape::Versions(_) => request_filters::all(conditions),
            Shape::Diff(..) => {
                let above = request_filters::all(&request_filters::of_differences(conditions, definition));
                self.sides = request_filters::of_sides(conditions, definition);
                above
            }
        };
        let table: Arc<dyn TableProvider> = Arc::new(self);
        let Some(above) = above else { return Ok(table) };
        let scan = LogicalPlanBuilder::scan(TableReference::bare(name), provider_as_source(table), None)?;
        Ok(Arc::new(ViewTable::new(scan.filter(above)?.build()?, None)))
    }

    fn condition(&self, filter: &Expr) -> Option<KeyCondition> {
        KeyCondition::of(filter, &self.table.dataset().definition.key, &self.schema)
    }

    fn layout(&self, projection: Option<&[usize]>) -> Layout {
        let definition = &self.table.dataset().definition;
        match self.shape {
            Shape::Versions(coordinates) => Layout::new(definition, coordinates, projection),
            Shape::Diff(before, after) => Layout::diff(definition, before, after, projection),
        }
    }
}

impl fmt::Debug for DatasetTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.table.dataset().name;
        f.debug_struct("DatasetTable").field("dataset", name).field("shape", &self.shape).finish()
    }
}

#[async_trait]
impl TableProvider for DatasetTable {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mut layout = self.layout(projection.map(Vec::as_slice));
        if let Some(passing) = request_filters::all(&self.sides) {
            let schema = DFSchema::try_from(layout.scan_schema.clone())?;
            layout.passing = Some(state.create_physical_expr(passing, &schema)?);
        }
        let conditions = filters.iter().filter_map(|filter| self.condition(filter)).collect();
        let resolve = ResolveExec::new(self.table.clone(), layout, conditions);
        Ok(Arc::new(if self.explain { resolve.with_pruning().await? } else { resolve }))
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        // Inexact: the scan may give more keys than asked for, and the filter above is what decides.
        let support = |filter: &&Expr| match self.condition(filter) {
            Some(_) => TableProviderFilterPushDown::Inexact,
            None => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(support).collect())
    }
}

/// The schema `system`.
struct System {
    tables: Arc<dyn SystemTables>,
    datasets: Arc<Datasets>,
}

impl fmt::Debug for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("System").finish_non_exhaustive()
    }
}

#[async_trait]
impl SchemaProvider for System {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn table_names(&self) -> Vec<String> {
        self.tables.names()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        if let Some(table) = own_dataset(&self.datasets.snapshot, name).map_err(external)? {
            let shape = Shape::Versions(self.datasets.defaults);
            return Ok(Some(Arc::new(DatasetTable::new(table, shape, self.datasets.explain).map_err(external)?)));
        }
        let Some(batch) = self.tables.table(name) else { return Ok(None) };
        Ok(Some(Arc::new(MemTable::try_new(batch.schema(), vec![vec![batch]])?)))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.tables.names().iter().any(|known| known == name)
    }
}

/// The catalog of one query.
#[derive(Debug)]
pub(crate) struct QueryCatalog {
    datasets: Arc<Datasets>,
    system: Arc<System>,
}

impl QueryCatalog {
    pub(crate) fn new(datasets: Datasets, system: Arc<dyn SystemTables>) -> QueryCatalog {
        let datasets = Arc::new(datasets);
        QueryCatalog { system: Arc::new(System { tables: system, datasets: datasets.clone() }), datasets }
    }
}

impl CatalogProvider for QueryCatalog {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn schema_names(&self) -> Vec<String> {
        vec![DATASETS.to_owned(), SYSTEM.to_owned()]
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        match name {
            DATASETS => Some(self.datasets.clone()),
            SYSTEM => Some(self.system.clone()),
            _ => None,
        }
    }
}
