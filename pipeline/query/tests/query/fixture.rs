//! The data the `.slt` files ask about. `history`: three epochs of four datasets; told in the head of each file.

use crate::harness::Harness;

const GDP: &str = r#"{"columns":[{"name":"country","type":"string"},{"name":"value","type":"int64"},
    {"name":"note","type":"string"},{"name":"from","type":"date"},{"name":"to","type":"date"}],
    "key":["country"],"valid_from":"from","valid_to":"to","mode":"interval"}"#;

const RATES: &str = r#"{"columns":[{"name":"bond","type":"string"},{"name":"tenor","type":"int32"},
    {"name":"rate","type":"decimal(38,10)"},{"name":"callable","type":"bool"},{"name":"fixed_on","type":"date"},
    {"name":"at","type":"timestamp"}],"key":["bond","tenor"],"valid_from":"at","mode":"until_changed"}"#;

const IMPORT: &str = r#"{"columns":[{"name":"id","type":"int64"},{"name":"value","type":"float64"},
    {"name":"at","type":"date"},{"name":"known","type":"timestamp"}],
    "key":["id"],"valid_from":"at","system_time":"known","mode":"until_changed"}"#;

const FIRST: &str = r#"
    {"country":"GER","value":100,"note":"flash","valid_from":"2008-01-01T00:00:00Z","valid_to":"2009-01-01T00:00:00Z","operation":"put"}
    {"country":"GER","value":110,"valid_from":"2009-01-01T00:00:00Z","valid_to":null,"operation":"put"}
    {"country":"FRA","value":80,"note":"FOR SYSTEM_TIME AS OF","valid_from":"2008-01-01T00:00:00Z","valid_to":null,"operation":"put"}
    {"country":"ITA","value":null,"valid_from":"2008-01-01T00:00:00Z","valid_to":"2010-01-01T00:00:00Z","operation":"put"}"#;

const SECOND: &str = r#"
    {"country":"GER","value":105,"note":"revised","valid_from":"2008-04-01T00:00:00Z","valid_to":"2008-07-01T00:00:00Z","operation":"put"}
    {"country":"ITA","value":null,"valid_from":"2009-01-01T00:00:00Z","valid_to":null,"operation":"delete"}"#;

const THIRD: &str = r#"
    {"country":"FRA","value":null,"note":"withdrawn","valid_from":"2008-01-01T00:00:00Z","valid_to":null,"operation":"delete"}
    {"country":"ESP","value":60,"valid_from":"2008-01-01T00:00:00Z","valid_to":"2008-06-01T00:00:00Z","operation":"put"}
    {"country":"ESP","value":61,"valid_from":"2008-06-01T00:00:00Z","valid_to":null,"operation":"put"}"#;

const RATES_FIRST: &str = r#"
    {"bond":"X1","tenor":10,"rate":"1.2500000000","callable":true,"fixed_on":"2020-01-01","valid_from":"2020-01-01T00:00:00Z","valid_to":null,"operation":"put"}
    {"bond":"X1","tenor":2,"rate":"0.0000000001","callable":false,"fixed_on":"2020-01-01","valid_from":"2020-01-01T00:00:00Z","valid_to":null,"operation":"put"}"#;

const RATES_SECOND: &str = r#"
    {"bond":"X1","tenor":10,"rate":"1234567890123456789012345678.0123456789","callable":true,"fixed_on":null,"valid_from":"2020-07-01T12:00:00.000001Z","valid_to":null,"operation":"put"}"#;

const IMPORTED: &str = r#"
    {"id":1,"value":0.5,"valid_from":"2000-01-01T00:00:00Z","valid_to":null,"system_from":"2001-01-01T00:00:00Z","operation":"put"}
    {"id":1,"value":0.75,"valid_from":"2000-01-01T00:00:00Z","valid_to":null,"system_from":"2002-01-01T00:00:00Z","operation":"put"}"#;

/// Epochs at noon of 1, 2 and 3 March 2026.
pub async fn history() -> Harness {
    let mut harness = Harness::new().await;
    harness.define("gdp", GDP).await;
    harness.define("rates", RATES).await;
    harness.define("vintages", IMPORT).await;
    harness.define("unsealed", IMPORT).await;
    harness.commit("2026-03-01T12:00:00Z", &[("gdp", FIRST), ("rates", RATES_FIRST)], &[]).await;
    harness.commit("2026-03-02T12:00:00Z", &[("gdp", SECOND), ("rates", RATES_SECOND)], &[]).await;
    let third = [("gdp", THIRD), ("vintages", IMPORTED), ("unsealed", IMPORTED)];
    harness.commit("2026-03-03T12:00:00Z", &third, &["vintages"]).await;
    harness
}
