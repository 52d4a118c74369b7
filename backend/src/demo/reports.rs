//! Quarterly figures: preliminary 30 days after the quarter, final after 60, some restated within a year.
//!
//! Values are in 1/100 of the issuer's currency.

use chrono::{Datelike, Days, Months, NaiveDate};
use model::Instant;
use rand_chacha::ChaCha8Rng;

use super::{
    calendar::{add_business_days, at, odd_time},
    draft::Draft,
    random::{Stream, bell, between, index_below, nudge, one_in, stream},
    universe::{Company, Instrument},
};

/// Companies that report.
const ISSUERS: usize = 15;

#[derive(Clone)]
struct Issuer {
    company: Company,
    shares: i64,
    /// Of the last quarter.
    revenue: i128,
    /// Of revenue, in millionths.
    margin_ppm: i64,
}

/// The figures of one issuer for one quarter.
#[derive(Debug, Clone, Copy)]
struct Figures {
    issuer: usize,
    /// First day of the quarter.
    quarter: NaiveDate,
    revenue: i128,
    net_income: i128,
    /// When they are final.
    final_at: Instant,
}

/// All reports.
#[derive(Clone)]
pub struct Reports {
    rng: ChaCha8Rng,
    issuers: Vec<Issuer>,
    published: Vec<Figures>,
}

impl Reports {
    /// The issuers before their first report.
    pub fn new(seed: u64, instruments: &[Instrument]) -> Reports {
        let mut rng = stream(seed, Stream::Reports);
        let issuers = (0..ISSUERS).map(|place| {
            let instrument = &instruments[place * instruments.len() / ISSUERS];
            // Free-float value in 1/100, a quarter's revenue between 6 % and 20 % of it.
            let value = i128::from(instrument.price) * i128::from(instrument.float_shares) / 100;
            Issuer {
                company: instrument.company,
                shares: instrument.float_shares,
                revenue: value * i128::from(between(&mut rng, 60, 200)) / 1_000,
                margin_ppm: between(&mut rng, 30_000, 180_000),
            }
        });
        let issuers = issuers.collect();
        Reports { rng, issuers, published: Vec::new() }
    }

    /// On the day of the preliminary figures decides all that will ever be said of the quarter.
    pub fn decide(&mut self, day: NaiveDate, out: &mut Vec<Draft>) {
        let ended = day - Days::new(30);
        if ended.day() != 1 || ended.month() % 3 != 1 {
            return;
        }
        for issuer in 0..self.issuers.len() {
            self.report(issuer, ended, out);
        }
    }

    fn report(&mut self, place: usize, ended: NaiveDate, out: &mut Vec<Draft>) {
        let rng = &mut self.rng;
        let issuer = &mut self.issuers[place];
        issuer.revenue += issuer.revenue * i128::from(12_000 + bell(rng, 40_000)) / 1_000_000;
        issuer.margin_ppm = (issuer.margin_ppm + bell(rng, 14_000)).clamp(-60_000, 260_000);
        let minutes = place as i64 * 7;
        let final_day = ended + Days::new(60);
        let figures = Figures {
            issuer: place,
            quarter: ended - Months::new(3),
            revenue: issuer.revenue,
            net_income: issuer.revenue * i128::from(issuer.margin_ppm) / 1_000_000,
            final_at: at(final_day, 6 + minutes / 60, minutes % 60, 0),
        };
        let preliminary = Figures {
            revenue: nudge(rng, figures.revenue, 0, 18_000),
            net_income: nudge(rng, figures.net_income, 0, 60_000),
            ..figures
        };
        let due = at(ended + Days::new(30), 6 + minutes / 60, minutes % 60, 0);
        let restated = one_in(rng, 6).then(|| {
            let day = add_business_days(final_day, between(rng, 5, 210));
            (restate(rng, &figures), odd_time(day, rng))
        });
        self.all_metrics(&preliminary, "preliminary", due, out);
        self.all_metrics(&figures, "final", figures.final_at, out);
        if let Some((restated, due)) = restated {
            self.changed_metrics(&figures, &restated, due, out);
        }
        self.published.push(figures);
    }

    /// Restates figures that were final at `now` and are not more than two years old; nothing where there are none.
    pub fn correction(&mut self, now: Instant, today: NaiveDate, out: &mut Vec<Draft>) {
        let oldest = today - Months::new(24);
        let known: Vec<Figures> = self
            .published
            .iter()
            .filter(|figures| figures.final_at <= now && figures.quarter >= oldest)
            .copied()
            .collect();
        if known.is_empty() {
            return;
        }
        let figures = known[index_below(&mut self.rng, known.len())];
        let restated = restate(&mut self.rng, &figures);
        self.changed_metrics(&figures, &restated, now, out);
    }

    fn all_metrics(&self, figures: &Figures, status: &str, due: Instant, out: &mut Vec<Draft>) {
        out.extend(self.metrics(figures).map(|(metric, value)| self.event(figures, metric, value, status, due)));
    }

    fn changed_metrics(&self, before: &Figures, after: &Figures, due: Instant, out: &mut Vec<Draft>) {
        for ((metric, value), (_, old)) in self.metrics(after).zip(self.metrics(before)) {
            if value != old {
                out.push(self.event(after, metric, value, "restated", due));
            }
        }
    }

    fn metrics(&self, figures: &Figures) -> impl ExactSizeIterator<Item = (&'static str, i128)> + use<> {
        let per_share = figures.net_income / i128::from(self.issuers[figures.issuer].shares.max(1));
        [("revenue", figures.revenue), ("net_income", figures.net_income), ("eps", per_share)].into_iter()
    }

    fn event(&self, figures: &Figures, metric: &str, value: i128, status: &str, due: Instant) -> Draft {
        let company = self.issuers[figures.issuer].company;
        Draft::new("reports", due)
            .text("issuer_id", company.id)
            .text("metric", metric)
            .decimal("value", value, 2)
            .text("currency", company.country().currency)
            .text("status", status)
            .valid(figures.quarter, Some(figures.quarter + Months::new(3)))
    }
}

/// Other figures for the same quarter: revenue, or income and with it earnings per share, or both.
fn restate(rng: &mut ChaCha8Rng, figures: &Figures) -> Figures {
    let what = between(rng, 1, 3);
    let revenue = if what == 2 { figures.revenue } else { nudge(rng, figures.revenue, 2_000, 40_000) };
    let net_income = if what == 1 { figures.net_income } else { nudge(rng, figures.net_income, 10_000, 120_000) };
    Figures { revenue, net_income, ..*figures }
}
