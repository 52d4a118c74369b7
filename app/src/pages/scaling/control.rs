//! The form: which number of slots is wanted and why, what is to be expected, and Apply.

use leptos::{ev::SubmitEvent, prelude::*, task::spawn_local};
use model::{KEY_GROUPS, RescalePhase, RescaleRecord, rescale::slot_of_group};

use super::{follow::Following, words};
use crate::{
    components::whole::{Whole, WholeView, changing},
    queries::scaling::PipelineStatus,
    tasks,
    words::ended,
};

/// Numbers of slots that are one choice away.
const PRESETS: [u16; 6] = [1, 2, 4, 8, 16, 32];
/// Colours of series, which slots take in turn.
const COLOURS: u16 = 8;

/// What is typed, and what became of it.
#[derive(Clone, Copy)]
struct Form {
    following: Following,
    typed: RwSignal<String>,
    reason: RwSignal<String>,
    sending: RwSignal<bool>,
    refusal: RwSignal<Option<String>>,
}

impl Form {
    fn status<T>(self, of: impl FnOnce(&PipelineStatus) -> T) -> Option<T> {
        self.following.status.with(|status| status.as_ref().map(of))
    }

    fn most(self) -> u16 {
        self.status(|status| status.slots_max).unwrap_or(KEY_GROUPS)
    }

    fn wanted(self) -> Option<Result<u16, String>> {
        let most = self.most();
        self.typed.with(|typed| words::wanted(typed, most))
    }

    fn under_way(self) -> Option<RescaleRecord> {
        self.following.record.get().filter(RescaleRecord::is_under_way)
    }

    /// The number that can be applied, or why there is none.
    fn applicable(self) -> Result<u16, String> {
        let Some((now, failed)) = self.status(|status| (status.slots, status.failed)) else {
            return Err("How the pipeline stands is not known yet.".to_owned());
        };
        let most = self.most();
        match self.wanted() {
            _ if failed => Err("The pipeline has stopped, so its slots cannot change now.".to_owned()),
            _ if self.sending.get() || self.under_way().is_some() => Err("A rescale is under way.".to_owned()),
            None => Err(format!("Type how many slots are wanted, from 1 to {most}.")),
            Some(Err(why)) => Err(why),
            Some(Ok(wanted)) if wanted == now => Err(format!("There are {} now.", words::slots(now))),
            Some(Ok(wanted)) => Ok(wanted),
        }
    }

    fn choose(self, slots: u16) {
        self.refusal.set(None);
        self.typed.set(slots.to_string());
    }

    /// One more or one less than is typed, or than there are.
    fn step(self, up: bool) {
        let now = untrack(|| self.status(|status| status.slots)).unwrap_or(1);
        let from = untrack(|| self.wanted()).and_then(Result::ok).unwrap_or(now);
        let most = untrack(|| self.most());
        let to = if up { from.saturating_add(1) } else { from.saturating_sub(1) };
        self.choose(to.clamp(1, most));
    }

    fn apply(self, event: &SubmitEvent) {
        event.prevent_default();
        let Ok(slots) = untrack(|| self.applicable()) else { return };
        self.sending.set(true);
        self.refusal.set(None);
        let reason = self.reason.get_untracked();
        spawn_local(async move {
            let answer = tasks::rescale::rescale(slots, reason.trim()).await;
            // The page may be gone by now: everything below only tries.
            if self.sending.try_set(false).is_some() {
                return;
            }
            match answer {
                Ok(record) => {
                    self.reason.set(String::new());
                    self.following.told(record);
                }
                Err(why) => self.refusal.set(Some(why)),
            }
            self.following.read();
        });
    }

    fn cancel(self) {
        let Some(record) = untrack(|| self.under_way()) else { return };
        spawn_local(async move {
            let answer = tasks::rescale::cancel(record.id).await;
            if self.refusal.try_set(answer.as_ref().err().cloned()).is_none()
                && let Ok(record) = answer
            {
                self.following.told(record);
            }
        });
    }
}

/// The tile with the form.
pub(super) fn control(following: Following) -> WholeView {
    let form = Form {
        following,
        typed: RwSignal::new(String::new()),
        reason: RwSignal::new(String::new()),
        sending: RwSignal::new(false),
        refusal: RwSignal::new(None),
    };
    // Begins with the number there is.
    Effect::new(move |begun: Option<bool>| {
        let slots = form.status(|status| status.slots);
        if begun != Some(true)
            && let Some(slots) = slots
        {
            form.typed.set(slots.to_string());
        }
        begun == Some(true) || slots.is_some()
    });
    let state = move || match following.status.with(Option::is_some) {
        _ if following.problem.with(Option::is_some) => "error",
        true => "ready",
        false => "loading",
    };
    view! {
        <section class="tile" data-testid="tile-control" data-state=state aria-labelledby="control-title">
            <header class="tile-header">
                <h2 id="control-title">"Number of slots"</h2>
            </header>
            <div class="tile-progress" aria-hidden="true"></div>
            {changing(move || trouble(following))}
            <div class="tile-body">
                <form class="scaling-form" novalidate on:submit=move |event| form.apply(&event)>
                    {slots_fields(form)}
                    <label class="scaling-reason">
                        "Reason, kept with the record"
                        <input
                            type="text"
                            maxlength="500"
                            autocomplete="off"
                            data-testid="reason"
                            prop:value=move || form.reason.get()
                            on:input:target=move |event| form.reason.set(event.target().value())
                        />
                    </label>
                    {expected(form)}
                    {buttons(form)}
                </form>
            </div>
        </section>
    }
    .whole()
}

fn trouble(following: Following) -> Option<WholeView> {
    let retry = move || {
        view! {
            <button type="button" on:click=move |_| following.read()>
                "Retry"
            </button>
        }
    };
    let notice = |text: String, retry: Option<WholeView>| {
        view! {
            <div class="tile-error" role="alert">
                <p>{text}</p>
                {retry}
            </div>
        }
        .whole()
    };
    if let Some(why) = following.problem.get() {
        let text = ended(format!("How the pipeline stands could not be read: {why}"));
        return Some(notice(text, Some(retry().whole())));
    }
    let failed = following.status.with(|status| status.as_ref().is_some_and(|status| status.failed));
    let text = "The pipeline has stopped; the server's log says why. Records are taken in and kept, and committed after a restart.";
    failed.then(|| notice(text.to_owned(), None))
}

/// Slots now, slots wanted, and common numbers.
fn slots_fields(form: Form) -> WholeView {
    let now = move || form.status(|status| status.slots).map_or_else(|| "–".to_owned(), |slots| slots.to_string());
    let invalid = move || matches!(form.wanted(), Some(Err(_)));
    let problem = move || form.wanted().and_then(Result::err).unwrap_or_default();
    let preset = move |slots: u16| {
        let chosen = move || form.wanted() == Some(Ok(slots));
        view! {
            <button
                type="button"
                aria-pressed=move || chosen().to_string()
                aria-label=format!("{} wanted", words::slots(slots))
                on:click=move |_| form.choose(slots)
            >
                {slots.to_string()}
            </button>
        }
        .whole()
    };
    view! {
        <div class="scaling-slots">
            <dl>
                <dt>"Now"</dt>
                <dd data-testid="slots-now">{changing(now)}</dd>
            </dl>
            <span class="scaling-arrow" aria-hidden="true">"→"</span>
            <div class="scaling-wanted">
                <label for="slots-wanted">"Wanted"</label>
                <div class="stepper">
                    <button type="button" aria-label="One slot less" data-testid="slots-less" on:click=move |_| form.step(false)>
                        "−"
                    </button>
                    <input
                        id="slots-wanted"
                        type="number"
                        inputmode="numeric"
                        min="1"
                        max=move || form.most().to_string()
                        step="1"
                        autocomplete="off"
                        data-testid="slots-wanted"
                        aria-describedby="slots-problem"
                        aria-invalid=move || invalid().then_some("true")
                        prop:value=move || form.typed.get()
                        on:input:target=move |event| {
                            form.refusal.set(None);
                            form.typed.set(event.target().value());
                        }
                    />
                    <button type="button" aria-label="One slot more" data-testid="slots-more" on:click=move |_| form.step(true)>
                        "+"
                    </button>
                </div>
            </div>
        </div>
        <p class="field-problem" id="slots-problem" role="status">{changing(problem)}</p>
        <div class="presets" role="group" aria-label="Common numbers of slots">
            {PRESETS.map(preset).into_iter().collect_view()}
        </div>
    }
    .whole()
}

/// What is to be expected of the number that is wanted.
fn expected(form: Form) -> WholeView {
    let both = move || {
        let wanted = form.wanted().and_then(Result::ok);
        form.status(PipelineStatus::clone).zip(wanted).filter(|(status, wanted)| status.slots != *wanted)
    };
    let said = move |of: fn(&PipelineStatus, u16) -> String| {
        move || both().map_or_else(|| "–".to_owned(), |(status, wanted)| of(&status, wanted))
    };
    let strips = move || {
        let now = form.status(|status| status.slots)?;
        let wanted = form.wanted().and_then(Result::ok).unwrap_or(now);
        Some(view! {
            <svg class="owners" viewBox="0 0 128 22" preserveAspectRatio="none" aria-hidden="true" focusable="false">
                {strip(now, "0")}
                {strip(wanted, "12")}
            </svg>
        })
    };
    view! {
        <dl class="scaling-expected">
            <div>
                <dt>"Expected pause"</dt>
                <dd>
                    <strong data-testid="expected-pause">{changing(said(|status, _| words::pause(status).0))}</strong>
                    <span class="quiet">{changing(move || both().map(|(status, _)| words::pause(&status).1.to_owned()))}</span>
                </dd>
            </div>
            <div>
                <dt>"Begins"</dt>
                <dd data-testid="expected-wait">{changing(said(|status, _| words::wait(status)))}</dd>
            </div>
            <div>
                <dt>"Key groups"</dt>
                <dd data-testid="expected-moved">{changing(said(|status, wanted| words::moved(status.slots, wanted)))}</dd>
            </div>
            <div>
                <dt>"Costs"</dt>
                <dd>{changing(said(words::cost))}</dd>
            </div>
        </dl>
        <figure class="owners-figure">
            {changing(strips)}
            <figcaption>"Owners of the 128 key groups: above now, below as wanted"</figcaption>
        </figure>
    }
    .whole()
}

/// The key groups of each slot, in its colour.
fn strip(slots: u16, top: &'static str) -> Vec<WholeView> {
    let owned = |slot: u16| (0..KEY_GROUPS).filter(move |&group| slot_of_group(group, slots) == slot);
    let part = |slot: u16| {
        let (first, count) = (owned(slot).next().unwrap_or(0), owned(slot).count());
        // A little less than it owns, so that neighbours are told apart.
        let width = format!("{:.2}", count as f64 - 0.25);
        let class = format!("owner series-{}", slot % COLOURS + 1);
        view! { <rect class=class x=first.to_string() y=top width=width height="10" /> }.whole()
    };
    (0..slots).map(part).collect()
}

fn buttons(form: Form) -> WholeView {
    let label = move || match form.applicable() {
        Ok(wanted) => {
            let now = form.status(|status| status.slots).unwrap_or(0);
            format!("Apply: {now} → {}", words::slots(wanted))
        }
        Err(_) => "Apply".to_owned(),
    };
    let why_not = move || form.applicable().err().unwrap_or_default();
    let cancellable = move || form.under_way().is_some_and(|record| record.phase == RescalePhase::Requested);
    let refusal =
        move || form.refusal.get().map(|why| view! { <p class="notice" role="alert" data-testid="refusal">{why}</p> });
    view! {
        {changing(refusal)}
        <div class="scaling-actions">
            // It keeps the focus while it can do nothing, so it is not disabled.
            <button
                type="submit"
                class="primary"
                data-testid="apply"
                aria-disabled=move || form.applicable().is_err().to_string()
                aria-describedby="apply-note"
            >
                {changing(label)}
            </button>
            <button type="button" data-testid="cancel" hidden=move || !cancellable() on:click=move |_| form.cancel()>
                "Cancel"
            </button>
            <p class="quiet" id="apply-note">{changing(why_not)}</p>
        </div>
    }
    .whole()
}
