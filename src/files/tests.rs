//! Dtypes against their definitions, and each kind of bad header with its message.

use pollster::block_on;

use super::write::{Planned, Writer, pytorch};
use super::*;

fn file(header: &str, data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(vec![0; data]);
    bytes
}

fn refusal(bytes: Vec<u8>) -> String {
    block_on(Header::read(&Memory::new("x.safetensors", bytes))).unwrap_err().to_string()
}

#[test]
fn bad_files_have_readable_messages() {
    let f32s =
        |shape: &str, from: u64, to: u64| format!(r#"{{"dtype":"F32","shape":{shape},"data_offsets":[{from},{to}]}}"#);
    let one = |shape: &str, from: u64, to: u64| format!(r#"{{"w":{}}}"#, f32s(shape, from, to));
    let deep = format!(r#"{{"w":{}1{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    let deep_metadata = format!(r#"{{"__metadata__":{}1{}}}"#, r#"{"a":"#.repeat(100_000), "}".repeat(100_000));
    let mut latin = file(r#"{"wXw":1}"#, 0);
    let at = latin.iter().position(|&b| b == b'X').unwrap();
    latin[at] = 0xe9;
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (vec![1, 2, 3], "fewer than a safetensors file's first 8"),
        (u64::MAX.to_le_bytes().to_vec(), "claims a header of 18446744073709551615 bytes"),
        (file("", 0).into_iter().chain([0; 40]).collect(), "does not begin with"),
        ((200u64).to_le_bytes().into_iter().chain(*b"{}").collect(), "claims a header of 200 bytes in a file of 10"),
        (b"<!DOCTYPE html><html><body>404</body></html>".to_vec(), "is a web page, not the file"),
        (latin, "not UTF-8 (byte 3)"),
        (file(r#"{"w":"#, 0), "EOF while parsing"),
        (file("[1]", 0), "does not begin with"),
        (file(&deep, 0), "tensor \"w\""),
        (file(&deep_metadata, 0), "not valid"),
        (file(r#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"more":1}}"#, 4), "unknown field `more`"),
        (file(r#"{"w":{"dtype":"F31","shape":[1],"data_offsets":[0,4]}}"#, 4), "dtype \"F31\""),
        (file(r#"{"w":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#, 4), "invalid value"),
        (file(r#"{"w":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}}"#, 4), "invalid type"),
        (file(r#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,NaN]}}"#, 4), "not valid"),
        (file(r#"{"w":{"dtype":"F32","shape":[1]}}"#, 4), "missing field `data_offsets`"),
        (file(&one("[2]", 0, 4), 4), "needs 8 bytes for shape [2] of F32, but has 4"),
        (file(&one("[1]", 0, 8), 4), "cut short"),
        (file(&one("[1]", 4, 0), 4), "lies at bytes 4 to 0"),
        (file(&one("[1]", 0, u64::MAX), 4), "cut short"),
        (file(&one("[4294967296,4294967296,4294967296]", 0, 4), 4), "too large"),
        (file(&one("[0,9223372036854775807,4]", 0, 0), 0), "too large"),
        (file(&one("[9223372036854775807]", 0, 4), 4), "too large"),
        (file(&one("[1]", 0, 4), 6), "2 bytes after the last tensor"),
        (file(&format!(r#"{{"a":{},"b":{}}}"#, f32s("[2]", 0, 8), f32s("[1]", 4, 8)), 8), "\"b\" overlaps a"),
        (
            file(&format!(r#"{{"a":{},"b":{}}}"#, f32s("[1]", 0, 4), f32s("[1]", 8, 12)), 12),
            "\"b\" leaves a gap after a",
        ),
        (file(&format!(r#"{{"a":{},"a":{}}}"#, f32s("[1]", 0, 4), f32s("[1]", 4, 8)), 8), "\"a\" appears twice"),
        (file(r#"{"__metadata__":{},"__metadata__":{}}"#, 0), "\"__metadata__\" appears twice"),
        (file(r#"{"__metadata__":{"a":1}}"#, 0), "not valid"),
    ];
    for (bytes, expected) in cases {
        let message = refusal(bytes);
        assert!(message.contains(expected), "{expected:?} is not in: {message}");
        assert!(message.starts_with("x.safetensors: ") && message.len() < 400, "{message}");
    }
}

#[test]
fn an_odd_header_is_read() {
    // Unaligned, padded, and with an empty tensor in the middle.
    let header = concat!(
        r#"{"b":{"dtype":"BF16","shape":[1,3],"data_offsets":[3,9]},"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"#,
        r#""none":{"dtype":"F32","shape":[0,7],"data_offsets":[3,3]}}   "#
    );
    let mut bytes = file(header, 9);
    let at = bytes.len() - 6;
    bytes[at..].copy_from_slice(&[0x80, 0x3f, 0, 0xc0, 0, 0]);
    let checkpoint = block_on(Checkpoint::open(vec![Memory::new("m", bytes)])).unwrap();
    let b = block_on(checkpoint.read("b")).unwrap();
    assert_eq!((b.shape, b.values), (vec![1, 3], vec![1.0, -2.0, 0.0]));
    assert!(block_on(checkpoint.read("none")).unwrap().values.is_empty());
    let error = block_on(checkpoint.read("a")).unwrap_err().to_string();
    assert!(error.contains("U8, which holds no floating-point weights"), "{error}");
    assert!(block_on(checkpoint.read("c")).unwrap_err().to_string().contains("there is no tensor \"c\""));
}

#[test]
fn every_half_survives_and_rounds_to_even() {
    for dtype in [Dtype::F16, Dtype::Bf16] {
        for bits in 0..=u16::MAX {
            let value = dtype.decode(&bits.to_le_bytes())[0];
            let back = dtype.encode(&[value]);
            if value.is_nan() {
                assert!(dtype.decode(&back)[0].is_nan());
            } else {
                assert_eq!(back, bits.to_le_bytes(), "{dtype} {bits:#x} {value}");
            }
        }
    }
    for dtype in [Dtype::F8E4M3, Dtype::F8E5M2] {
        for bits in 0..=u8::MAX {
            let value = dtype.decode(&[bits])[0];
            let back = dtype.encode(&[value]);
            assert!(if value.is_nan() { dtype.decode(&back)[0].is_nan() } else { back == [bits] }, "{dtype} {bits:#x}");
        }
    }
    let through = |dtype: Dtype, value: f32| dtype.decode(&dtype.encode(&[value]))[0];
    for (dtype, value, expected) in [
        (Dtype::F16, 65_519.0, 65_504.0),
        (Dtype::F16, 65_520.0, f32::INFINITY),
        (Dtype::F16, 2_049.0, 2_048.0),
        (Dtype::F16, 2_051.0, 2_052.0),
        (Dtype::F16, 2.9802322e-8, 0.0),
        (Dtype::F16, 3.0e-8, 5.9604645e-8),
        (Dtype::Bf16, 257.0, 256.0),
        (Dtype::Bf16, 259.0, 260.0),
        (Dtype::Bf16, f32::MAX, f32::INFINITY),
        (Dtype::F8E4M3, 464.0, 448.0),
        (Dtype::F8E4M3, 17.0, 16.0),
        (Dtype::F8E4M3, -19.0, -20.0),
        (Dtype::F8E5M2, 61_439.0, 57_344.0),
        (Dtype::F8E5M2, 61_440.0, f32::INFINITY),
        (Dtype::F32, 0.1, 0.1),
        (Dtype::F64, 0.1, 0.1),
    ] {
        assert_eq!(through(dtype, value), expected, "{dtype} {value}");
    }
    assert!(through(Dtype::F8E4M3, 465.0).is_nan());
}

#[test]
fn what_is_written_is_read_back_by_the_formats_own_reader() {
    let tensors = [
        Planned { name: "a".into(), dtype: Dtype::F16, shape: vec![2, 3] },
        Planned { name: "b.c".into(), dtype: Dtype::F8E4M3, shape: vec![1] },
        Planned { name: "empty".into(), dtype: Dtype::F32, shape: vec![0, 4] },
    ];
    let mut bytes = Vec::new();
    block_on(async {
        let mut writer = Writer::begin(&mut bytes, &tensors, &pytorch()).await.unwrap();
        writer.values(Dtype::F16, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).await.unwrap();
        writer.values(Dtype::F8E4M3, &[0.5]).await.unwrap();
        writer.end().unwrap();
    });
    let official = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(official.tensor("a").unwrap().shape(), [2, 3]);
    assert_eq!(official.tensor("b.c").unwrap().dtype(), safetensors::Dtype::F8_E4M3);
    let ours = block_on(Checkpoint::open(vec![Memory::new("m", bytes)])).unwrap();
    assert_eq!(block_on(ours.read_rows("a", 1..9)).unwrap(), [4.0, 5.0, 6.0]);
    assert_eq!(ours.shards[0].header.metadata, pytorch());
    let short = block_on(async {
        let mut sink = Vec::new();
        Writer::begin(&mut sink, &tensors, &pytorch()).await.unwrap().end().unwrap_err().to_string()
    });
    assert!(short.contains("13 bytes short"), "{short}");
}

#[test]
fn shards_are_held_against_their_index() {
    let shard = |name: &str, tensor: &str| {
        Memory::new(name, file(&format!(r#"{{"{tensor}":{{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}}}"#), 4))
    };
    let open = |index: &str, sources| block_on(Checkpoint::open_sharded(index.as_bytes(), sources)).map(|c| c.file());
    let index = r#"{"metadata":{"total_size":8},"weight_map":{"a":"1.safetensors","b":"2.safetensors"}}"#;
    let both = || vec![shard("1.safetensors", "a"), shard("2.safetensors", "b")];
    assert_eq!(open(index, both()).unwrap(), "1.safetensors and 1 more");
    let message = |index: &str, sources| open(index, sources).unwrap_err().to_string();
    assert!(message(index, both()[..1].to_vec()).contains("\"2.safetensors\" first; open them too"));
    assert!(message("{}", both()).contains("missing field `weight_map`"));
    let swapped = vec![shard("1.safetensors", "b"), shard("2.safetensors", "a")];
    assert!(message(index, swapped).contains("does not hold \"a\""));
    assert!(
        message(index, vec![shard("1.safetensors", "a"), shard("2.safetensors", "a")])
            .contains("is in 1.safetensors too")
    );
}
