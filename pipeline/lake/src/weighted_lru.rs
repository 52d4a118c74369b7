//! A map that forgets what was used longest ago once the weight of all it holds passes a limit.

use std::{
    collections::{BTreeMap, HashMap},
    hash::Hash,
};

/// Least-recently-used map bounded by weight. An entry heavier than the whole limit is not kept.
pub(crate) struct WeightedLru<K, V> {
    limit: usize,
    held: usize,
    clock: u64,
    entries: HashMap<K, Entry<V>>,
    by_use: BTreeMap<u64, K>,
}

struct Entry<V> {
    value: V,
    weight: usize,
    used: u64,
}

impl<K: Hash + Eq + Clone, V: Clone> WeightedLru<K, V> {
    /// An empty map with a limit, in the unit in which weights will be given.
    pub(crate) fn new(limit: usize) -> WeightedLru<K, V> {
        WeightedLru { limit, held: 0, clock: 0, entries: HashMap::new(), by_use: BTreeMap::new() }
    }

    /// The value of a key, which counts as a use of it.
    pub(crate) fn get(&mut self, key: &K) -> Option<V> {
        let entry = self.entries.get_mut(key)?;
        self.clock += 1;
        if let Some(key) = self.by_use.remove(&entry.used) {
            self.by_use.insert(self.clock, key);
        }
        entry.used = self.clock;
        Some(entry.value.clone())
    }

    /// Keeps a value, and forgets older ones as needed.
    pub(crate) fn put(&mut self, key: K, value: V, weight: usize) {
        self.remove(&key);
        if weight > self.limit {
            return;
        }
        self.clock += 1;
        self.held += weight;
        self.by_use.insert(self.clock, key.clone());
        self.entries.insert(key, Entry { value, weight, used: self.clock });
        while self.held > self.limit {
            let Some((_, oldest)) = self.by_use.pop_first() else { break };
            if let Some(entry) = self.entries.remove(&oldest) {
                self.held -= entry.weight;
            }
        }
    }

    fn remove(&mut self, key: &K) {
        if let Some(entry) = self.entries.remove(key) {
            self.held -= entry.weight;
            self.by_use.remove(&entry.used);
        }
    }

    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        self.held
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_longest_ago_goes_first() {
        let mut lru = WeightedLru::new(10);
        lru.put("a", 1, 4);
        lru.put("b", 2, 4);
        assert_eq!(lru.get(&"a"), Some(1));
        lru.put("c", 3, 4);
        assert_eq!((lru.get(&"a"), lru.get(&"b"), lru.get(&"c")), (Some(1), None, Some(3)));
        assert_eq!(lru.held(), 8);
    }

    #[test]
    fn putting_a_key_again_replaces_its_weight_and_too_heavy_entries_are_not_kept() {
        let mut lru = WeightedLru::new(10);
        lru.put("a", 1, 8);
        lru.put("a", 2, 3);
        assert_eq!((lru.get(&"a"), lru.held()), (Some(2), 3));
        lru.put("b", 3, 11);
        assert_eq!((lru.get(&"b"), lru.get(&"a")), (None, Some(2)));
    }
}
