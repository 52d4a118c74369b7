//! What the state takes of memory and disk: bounded whatever the number of keys, and told by key group.

use super::*;

use engine::{
    ports::{StateStore, StateWrites},
    state_value::write_head_address,
};

const KEYS: u64 = 200_000;
const KEYS_PER_WRITE: u64 = 5_000;
const VALUE_BYTES: usize = 100;

/// A hash whose upper bits run through all key groups.
fn hash(key: u64) -> u64 {
    key.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn address(key: u64) -> Vec<u8> {
    let mut address = Vec::new();
    write_head_address(&mut address, 1, hash(key), &key.to_be_bytes());
    address
}

#[test]
fn memory_stays_within_its_bounds_and_every_key_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let options = StateOptions { block_cache_bytes: 2 << 20, write_buffer_bytes: 4 << 20 };
    let state = RocksDbState::open(folder.path(), options).unwrap();
    let one_write = KEYS_PER_WRITE * (VALUE_BYTES as u64 + 100);
    let check = || {
        let memory = state.memory();
        // Blocks that are being read are not driven out; a write is taken whole, and another while the buffers are full.
        assert!(memory.block_cache_bytes <= (2 << 20) + (1 << 20), "{memory:?}");
        assert!(memory.write_buffer_bytes <= (4 << 20) + 2 * one_write, "{memory:?}");
        assert!(memory.open_files_bytes <= 1 << 20, "{memory:?}");
    };
    for (epoch, start) in (0..KEYS).step_by(KEYS_PER_WRITE as usize).enumerate() {
        let mut writes = StateWrites::default();
        for key in start..start + KEYS_PER_WRITE {
            writes.put(&address(key), &[key as u8; VALUE_BYTES]);
        }
        state.apply(epoch as u64 + 1, 0..128, &writes).unwrap();
        check();
    }
    state.flush().unwrap();
    for start in (0..KEYS).step_by(1_000) {
        let mut keys: Vec<(Vec<u8>, u64)> = (start..start + 1_000).map(|key| (address(key), key)).collect();
        keys.sort();
        let addresses: Vec<&[u8]> = keys.iter().map(|(address, _)| address.as_slice()).collect();
        let mut found = 0;
        let mut visit = |index: usize, value: Option<&[u8]>| {
            assert_eq!(value, Some(&[keys[index].1 as u8; VALUE_BYTES][..]));
            found += 1;
            Ok(())
        };
        state.load(&addresses, &mut visit).unwrap();
        assert_eq!(found, 1_000);
        check();
    }
}

#[test]
fn the_state_tells_how_large_each_key_group_is() {
    let folder = tempfile::tempdir().unwrap();
    let state = RocksDbState::open(folder.path(), StateOptions::default()).unwrap();
    let mut writes = StateWrites::default();
    for key in 0..100_000 {
        let mut address = Vec::new();
        // One key group has a third of all.
        let hash = if key % 3 == 0 { key | 5 << 57 } else { hash(key) };
        write_head_address(&mut address, 1, hash, &key.to_be_bytes());
        writes.put(&address, &[key as u8; VALUE_BYTES]);
    }
    state.apply(1, 0..128, &writes).unwrap();
    state.flush().unwrap();
    let bytes = state.key_group_bytes().unwrap();
    assert_eq!(bytes.len(), 128);
    let (total, largest) = (bytes.iter().sum::<u64>() as f64, bytes[5] as f64);
    assert!((0.25..0.45).contains(&(largest / total)), "{largest} of {total}");
    assert!((0.8..1.2).contains(&(total / state.size_bytes() as f64)), "{total} of {}", state.size_bytes());
}
