//! Which file a row goes to, by when it holds: a balanced interval tree over quantiles of time.
//!
//! The leaves divide time into stretches of about equally many rows. A row goes to the leaf that holds its interval, or,
//! where the interval reaches over a border, to the lowest node above that does (Edelsbrunner's interval tree, with
//! files as nodes). So rows of one file are close to each other in time, its bounds say so, and a question about one
//! instant meets the files on one path from leaf to root, and of these only where the bounds reach the instant.

/// Nodes are numbered as in a heap: 1 is the root, the leaves come last.
#[derive(Debug, Clone)]
pub(crate) struct TimeTree {
    /// Where a leaf ends and the next begins; one less than there are leaves, which are a power of two.
    borders: Vec<i64>,
}

impl TimeTree {
    /// A tree whose leaves divide a sample of instants evenly; one leaf where there is little to divide.
    pub(crate) fn dividing(mut sample: Vec<i64>, leaves: usize) -> TimeTree {
        sample.sort_unstable();
        let leaves = leaves.max(1).next_power_of_two();
        let mut borders: Vec<i64> =
            (1..leaves).filter_map(|leaf| sample.get(leaf * sample.len() / leaves).copied()).collect();
        if borders.windows(2).any(|pair| pair[0] >= pair[1]) || borders.len() + 1 != leaves {
            borders = distinct_borders(&sample, leaves);
        }
        TimeTree { borders }
    }

    /// The node of an interval that is not empty.
    pub(crate) fn node(&self, from: i64, to: i64) -> u32 {
        let leaves = self.borders.len() as u32 + 1;
        let leaf = |instant: i64| leaves + self.borders.partition_point(|border| *border <= instant) as u32;
        let (first, last) = (leaf(from), leaf(to.saturating_sub(1).max(from)));
        first >> (u32::BITS - (first ^ last).leading_zeros())
    }
}

/// Fewer leaves, where many rows share an instant.
fn distinct_borders(sample: &[i64], leaves: usize) -> Vec<i64> {
    let mut distinct = sample.to_vec();
    distinct.dedup();
    let leaves = leaves.min(distinct.len().max(1));
    let leaves = if leaves.is_power_of_two() { leaves } else { leaves.next_power_of_two() / 2 };
    (1..leaves).map(|leaf| distinct[leaf * distinct.len() / leaves]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_lies_in_the_lowest_node_that_holds_it() {
        let tree = TimeTree::dividing((0..400).collect(), 4);
        assert_eq!(tree.borders, [100, 200, 300]);
        let nodes = [(0, 1), (0, 100), (99, 101), (100, 200), (150, 250), (200, 400), (250, 350), (350, i64::MAX)];
        let found: Vec<u32> = nodes.iter().map(|&(from, to)| tree.node(from, to)).collect();
        assert_eq!(found, [4, 4, 2, 5, 1, 3, 3, 7]);
    }

    #[test]
    fn few_different_instants_make_few_leaves() {
        assert!(TimeTree::dividing(Vec::new(), 8).borders.is_empty());
        assert!(TimeTree::dividing(vec![5; 100], 8).borders.is_empty());
        assert_eq!(TimeTree::dividing([vec![5; 90], vec![6; 5], vec![7; 5]].concat(), 8).borders, [6]);
        assert_eq!(TimeTree::dividing(vec![1, 2], 1).node(0, 9), 1);
    }
}
