//! Answers given before a kill, which have to be given again after it, byte for byte.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use crate::support::Server;

/// Those that say nothing of system time are asked again by system time too.
const QUESTIONS: [&str; 4] = [
    "SELECT * FROM positions",
    "SELECT * FROM limits",
    "SELECT amount, count(*) AS n FROM bulk GROUP BY amount ORDER BY amount",
    "SELECT count(*) AS versions, sum(amount) AS total FROM positions FOR SYSTEM_TIME ALL",
];

struct Answer {
    question: &'static str,
    token: String,
    system_time: String,
    body: Vec<u8>,
}

/// All answers.
#[derive(Default)]
pub struct Past {
    answers: Vec<Answer>,
}

impl Past {
    /// Asks all questions now. Before the first commit there is nothing to name.
    pub fn ask(&mut self, server: &Server) {
        for question in QUESTIONS {
            let reply = server.post_sql(&json!({ "sql": question }), "text/csv").expect_status(200);
            let header = |name: &str| reply.header(name).map(str::to_owned);
            let (token, system_time) = (header("tidemark-snapshot"), header("tidemark-system-time"));
            if let (Some(token), Some(system_time)) = (token, system_time) {
                self.answers.push(Answer { question, token, system_time, body: reply.body });
            }
        }
    }

    /// The latest and some of the others.
    pub fn some(&self, random: &mut ChaCha8Rng, count: usize) -> Vec<usize> {
        let latest = self.answers.len().saturating_sub(QUESTIONS.len())..self.answers.len();
        let others = (0..count).filter(|_| latest.start > 0).map(|_| random.random_range(0..latest.start));
        latest.clone().chain(others.collect::<Vec<_>>()).collect()
    }

    pub fn all(&self) -> Vec<usize> {
        (0..self.answers.len()).collect()
    }

    /// Asks again.
    pub fn check(&self, server: &Server, which: &[usize]) {
        for Answer { question, token, system_time, body } in which.iter().map(|&index| &self.answers[index]) {
            let again = json!({"sql": question, "snapshot": token});
            let reply = server.post_sql(&again, "text/csv").expect_status(200);
            assert!(reply.body == *body, "{question} under {token} was\n{}\nand is\n{}", text(body), reply.text());
            if !question.contains("SYSTEM_TIME") {
                let again = json!({"sql": question, "system_time": system_time});
                let reply = server.post_sql(&again, "text/csv").expect_status(200);
                assert!(
                    reply.body == *body,
                    "{question} as of {system_time} was\n{}\nis\n{}",
                    text(body),
                    reply.text()
                );
            }
        }
    }
}

fn text(body: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(body)
}
