//! The companies of the simulated market, all invented, and the register that describes them.

use chrono::{Datelike, Days, NaiveDate};
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::{
    calendar::{at, is_business_day, odd_time},
    draft::Draft,
    random::{Stream, between, index_below, one_in, stream},
};

/// Sectors; a company names one by its place.
pub const SECTORS: [&str; 8] =
    ["Energy", "Utilities", "Materials", "Industrials", "Consumer", "Health", "Financials", "Technology"];

/// Countries with their currency and its three-month rate; a company names one by its place.
pub const COUNTRIES: [Country; 5] = [
    Country { code: "DE", currency: "EUR", reference_rate: "EURIBOR 3M" },
    Country { code: "GB", currency: "GBP", reference_rate: "SONIA 3M" },
    Country { code: "SE", currency: "SEK", reference_rate: "STIBOR 3M" },
    Country { code: "CH", currency: "CHF", reference_rate: "SARON 3M" },
    Country { code: "NO", currency: "NOK", reference_rate: "NIBOR 3M" },
];

/// A country the market knows.
#[derive(Debug, Clone, Copy)]
pub struct Country {
    /// ISO 3166 code.
    pub code: &'static str,
    /// ISO 4217 code.
    pub currency: &'static str,
    /// Name of its three-month rate.
    pub reference_rate: &'static str,
}

/// What never changes about a company.
#[derive(Debug, Clone, Copy)]
pub struct Company {
    /// Identifies the share, and the company as an issuer.
    pub id: &'static str,
    /// Name at the start.
    pub name: &'static str,
    /// Place in [`SECTORS`] at the start.
    pub sector: usize,
    /// Place in [`COUNTRIES`].
    pub country: usize,
}

impl Company {
    /// The country it is listed in.
    pub fn country(&self) -> Country {
        COUNTRIES[self.country]
    }
}

const fn company(id: &'static str, name: &'static str, sector: usize, country: usize) -> Company {
    Company { id, name, sector, country }
}

/// The companies.
pub const COMPANIES: [Company; 40] = [
    company("GALD", "Galdhavn Offshore", 0, 4),
    company("ALDM", "Aldermoor Energy", 0, 1),
    company("SOLV", "Solvangen Solar", 0, 2),
    company("NESF", "Nessfjord Hydro", 0, 4),
    company("BRKW", "Brackwater Utilities", 1, 1),
    company("YARF", "Yarrowfell Water", 1, 1),
    company("HALQ", "Hallenquell Power", 1, 0),
    company("KSTM", "Kestelmark Steel", 2, 0),
    company("LNDQ", "Lindqvarn Paper", 2, 2),
    company("TRNB", "Tarnbrook Chemicals", 2, 1),
    company("GRWL", "Grauwall Cement", 2, 0),
    company("STNM", "Steinmoor Mining", 2, 3),
    company("ELRD", "Ellrode Glass", 2, 0),
    company("ESKH", "Eskholm Shipping", 3, 4),
    company("VRNH", "Varnholt Machines", 3, 0),
    company("ULVS", "Ulverstrand Rail", 3, 2),
    company("CRVL", "Corvalt Logistics", 3, 3),
    company("MRCH", "Marchvale Aerospace", 3, 1),
    company("RIVH", "Rivenhall Robotics", 3, 2),
    company("DUNM", "Dunmarrow Foods", 4, 1),
    company("PELW", "Pellworth Retail", 4, 1),
    company("DREV", "Drevanne Cosmetics", 4, 3),
    company("ELMG", "Elmsgarth Brewing", 4, 1),
    company("FJLM", "Fjellmark Seafood", 4, 4),
    company("LORM", "Lorrimont Watches", 4, 3),
    company("OSTV", "Ostravale Motors", 4, 0),
    company("INGS", "Ingelstrand Pharma", 5, 2),
    company("MRVN", "Morvane Biotech", 5, 3),
    company("AVTH", "Aventhal Health", 5, 0),
    company("FENW", "Fennwick Insurance", 6, 1),
    company("HRWM", "Harrowmere Bank", 6, 1),
    company("RTHM", "Rothmarsh Capital", 6, 3),
    company("WEXM", "Wexmoor Property", 6, 1),
    company("SKLD", "Skaldborg Bank", 6, 4),
    company("JORV", "Jorvanta Semiconductors", 7, 2),
    company("NRDH", "Nordhelle Telecom", 7, 4),
    company("OBLN", "Oberlinde Software", 7, 0),
    company("ZELB", "Zellbruck Optics", 7, 0),
    company("TRSV", "Tresvaux Networks", 7, 3),
    company("QILH", "Quillhaven Media", 7, 1),
];

/// A share at the start of the history.
#[derive(Debug, Clone)]
pub struct Instrument {
    /// Its company.
    pub company: Company,
    /// Price before the first day, in 1/10,000.
    pub price: i64,
    /// Shares in free float.
    pub float_shares: i64,
    /// Usual daily move of its own, in millionths.
    pub volatility_ppm: i64,
    /// How much of a market move it makes, in percent.
    pub beta_percent: i64,
    /// Usual daily volume in shares.
    pub volume: i64,
}

/// The shares, with sizes and tempers drawn from the seed. Free-float values fall by 6 % from each to the next smaller,
/// among the smaller half by 2 %, so that a review has something to decide.
pub fn instruments(seed: u64) -> Vec<Instrument> {
    let mut rng = stream(seed, Stream::Universe);
    let smaller = |size: &i64| Some(size * if *size > 15_000_000_000 { 94 } else { 98 } / 100);
    let mut sizes: Vec<i64> = std::iter::successors(Some(60_000_000_000), smaller).take(COMPANIES.len()).collect();
    sizes.shuffle(&mut rng);
    let instruments = COMPANIES.iter().zip(sizes).map(|(company, size)| {
        let price = between(&mut rng, 1_500, 32_000) * 100;
        let float_shares = size / price * 10_000;
        Instrument {
            company: *company,
            price,
            float_shares,
            volatility_ppm: between(&mut rng, 7_000, 15_000),
            beta_percent: between(&mut rng, 70, 130),
            volume: float_shares / between(&mut rng, 250, 700),
        }
    });
    instruments.collect()
}

/// The register of instruments: an entry for each at the start; now and then a new name or another sector, announced
/// ahead or entered late.
#[derive(Clone)]
pub struct Registry {
    rng: ChaCha8Rng,
    /// Those whose entry has not changed yet. None changes twice.
    unchanged: Vec<Company>,
}

impl Registry {
    /// The register with its first entries, known before the first day.
    pub fn new(seed: u64, instruments: &[Instrument], first_day: NaiveDate, out: &mut Vec<Draft>) -> Registry {
        let mut rng = stream(seed, Stream::Registry);
        for instrument in instruments {
            let years = between(&mut rng, 3, 30) as i32;
            let listed = NaiveDate::from_yo_opt(first_day.year() - years, between(&mut rng, 2, 360) as u32);
            let due = at(first_day, 6, 0, 0);
            let company = instrument.company;
            out.push(entry(due, company, company.name, company.sector, listed.unwrap_or(first_day)));
        }
        Registry { rng, unchanged: instruments.iter().map(|instrument| instrument.company).collect() }
    }

    /// About nine changes a year while entries are left that have not changed.
    pub fn decide(&mut self, day: NaiveDate, out: &mut Vec<Draft>) {
        let rng = &mut self.rng;
        if !is_business_day(day) || !one_in(rng, 28) || self.unchanged.is_empty() {
            return;
        }
        let index = index_below(rng, self.unchanged.len());
        let company = self.unchanged.swap_remove(index);
        let due = odd_time(day, rng);
        let effective = if one_in(rng, 3) {
            day - Days::new(between(rng, 3, 60).unsigned_abs())
        } else {
            day + Days::new(between(rng, 1, 30).unsigned_abs())
        };
        if one_in(rng, 3) {
            let sector = (company.sector + index_below(rng, SECTORS.len() - 1) + 1) % SECTORS.len();
            out.push(entry(due, company, company.name, sector, effective));
        } else {
            let suffix = ["Group", "Holding", "International"][index_below(rng, 3)];
            let name = format!("{} {suffix}", company.name);
            out.push(entry(due, company, &name, company.sector, effective));
        }
    }
}

fn entry(due: model::Instant, company: Company, name: &str, sector: usize, effective: NaiveDate) -> Draft {
    Draft::new("instruments", due)
        .text("instrument_id", company.id)
        .text("name", name)
        .text("sector", SECTORS[sector])
        .text("currency", company.country().currency)
        .text("country", company.country().code)
        .valid_from(effective)
}
