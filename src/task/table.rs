//! A table of numbers as a task: in every row inputs, and behind them the targets that one linear layer is to give. Reads CSV files;
//! knows nothing of where they come from or how what is wrong with them is shown.

use csv::{ReaderBuilder, StringRecord};
use serde::{Deserialize, Serialize};

use super::TaskData;
use super::custom::{Shape, custom};
use crate::error::{Error, Result};
use crate::files::{Source, broken};
use crate::lang::tr;

/// Bytes of the largest file that is read.
const LONGEST: u64 = 64 << 20;
/// Rows that are taken: all of them are every step's batch.
const MOST_ROWS: usize = 16_384;
/// Columns, inputs and targets together.
const MOST_COLUMNS: usize = 2_048;
/// Faults that are told one by one.
const TOLD: usize = 6;
const SEPARATORS: [u8; 3] = [b',', b';', b'\t'];
/// What names of targets begin with.
const TARGETS: [&str; 4] = ["y", "target", "out", "label"];

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    name: String,
    /// Names of its columns: those of the first line, or numbers from 1.
    columns: Vec<String>,
    /// `[rows, columns]`.
    values: Vec<f32>,
    /// How many of the last columns are targets.
    targets: usize,
    /// Every column is brought to mean 0 and standard deviation 1 before it is trained on.
    standardised: bool,
}

/// What has been found in a table, for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AboutTable {
    pub name: String,
    pub columns: Vec<String>,
    pub rows: usize,
    pub targets: usize,
    pub standardised: bool,
}

/// Whether a file is a table, by its path.
pub fn is_table(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    path.ends_with(".csv") || path.ends_with(".tsv")
}

/// Reads a file whole.
///
/// # Errors
/// As [`Table::read`]; and where the file cannot be read, or is longer than what is taken.
pub async fn open(file: impl Source) -> std::result::Result<Table, Vec<Error>> {
    if file.size() > LONGEST {
        let problem = tr!("holds {} bytes, more than the {LONGEST} that can be read here", file.size(), LONGEST);
        return Err(vec![broken(file.name(), problem)]);
    }
    let bytes = file.read(0, file.size() as usize).await.map_err(|error| vec![error])?;
    Table::read(file.name(), &bytes)
}

impl Table {
    /// Reads a CSV file: numbers between commas, semicolons or tabs, under a first line of names or none.
    ///
    /// # Errors
    /// `Error::File` for each of the first lines that hold something else, and one that counts the others.
    pub fn read(name: &str, bytes: &[u8]) -> std::result::Result<Self, Vec<Error>> {
        let one = |problem: String| vec![broken(name, problem)];
        let text = std::str::from_utf8(bytes).map_err(|error| {
            one(tr!("is no UTF-8 text from byte {at} on; save it as UTF-8", at = error.valid_up_to()))
        })?;
        let text = text.trim_start_matches('\u{feff}');
        let first = text.lines().next().unwrap_or_default();
        let count = |separator: u8| first.bytes().filter(|&byte| byte == separator).count();
        let separator = SEPARATORS.into_iter().max_by_key(|&separator| count(separator)).unwrap_or(b',');
        let mut reader =
            ReaderBuilder::new().delimiter(separator).has_headers(false).flexible(true).from_reader(text.as_bytes());
        let (mut columns, mut values, mut rows) = (Vec::new(), Vec::new(), 0);
        let (mut faults, mut more) = (Vec::new(), 0);
        for (at, record) in reader.records().enumerate() {
            let record = record.map_err(|error| one(tr!("cannot be read as CSV: {error}", error)))?;
            let line = record.position().map_or(at as u64 + 1, |position| position.line());
            if at == 0 {
                columns = names(&record);
                if columns.len() < 2 || columns.len() > MOST_COLUMNS {
                    let problem =
                        tr!("has {} columns; inputs and targets are 2 to {MOST_COLUMNS}", columns.len(), MOST_COLUMNS);
                    return Err(one(problem));
                }
                if record.iter().all(|cell| number(cell).is_none()) {
                    continue;
                }
            }
            match row(&record, &columns) {
                Ok(own) if rows < MOST_ROWS => {
                    values.extend(own);
                    rows += 1;
                }
                Ok(_) => {
                    return Err(one(tr!(
                        "has more than {MOST_ROWS} rows, all of which would be every step's batch; take fewer",
                        MOST_ROWS
                    )));
                }
                Err(fault) if faults.len() < TOLD => {
                    faults.push(broken(name, tr!("line {line}: {fault}", line, fault)))
                }
                Err(_) => more += 1,
            }
        }
        if more > 0 {
            faults.push(broken(
                name,
                tr!("{n} more line holds something else than numbers"
                    | "{n} more lines hold something else than numbers" % more),
            ));
        }
        if faults.is_empty() && rows == 0 {
            return Err(one(tr!("has no row of numbers")));
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let targets = columns.iter().rev().take_while(|column| is_target(column)).count().clamp(1, columns.len() - 1);
        Ok(Self { name: name.to_owned(), columns, values, targets, standardised: true })
    }

    /// Takes so many of the last columns as targets; at least one is, and at least one is not.
    pub fn aim(&mut self, targets: usize) {
        self.targets = targets.clamp(1, self.columns.len() - 1);
    }

    /// Whether every column is brought to mean 0 and standard deviation 1 before it is trained on.
    pub fn standardise(&mut self, standardised: bool) {
        self.standardised = standardised;
    }

    pub fn about(&self) -> AboutTable {
        let Self { name, columns, targets, standardised, .. } = self;
        AboutTable {
            name: name.clone(),
            columns: columns.clone(),
            rows: self.rows(),
            targets: *targets,
            standardised: *standardised,
        }
    }

    fn rows(&self) -> usize {
        self.values.len() / self.columns.len()
    }

    /// Mean and standard deviation of a column.
    fn moments(&self, column: usize) -> (f64, f64) {
        let values = || self.values.iter().skip(column).step_by(self.columns.len()).map(|&value| f64::from(value));
        let mean = values().sum::<f64>() / self.rows() as f64;
        let variance = values().map(|value| (value - mean) * (value - mean)).sum::<f64>() / self.rows() as f64;
        (mean, libm::sqrt(variance))
    }

    /// The task: one linear layer whose frozen weight is 0, every row a sequence of one token.
    ///
    /// # Errors
    /// `Error::Data` naming a target that is the same in every row, or 0 in all of them: there is nothing to learn.
    pub fn task(&self) -> Result<TaskData> {
        let inputs = self.columns.len() - self.targets;
        let moments: Vec<_> = (0..self.columns.len()).map(|column| self.moments(column)).collect();
        for (name, &(mean, deviation)) in self.columns.iter().zip(&moments).skip(inputs) {
            if deviation == 0.0 && (self.standardised || mean == 0.0) {
                let what = tr!("column {name} of {}", self.name, name);
                let (expected, got) = (tr!("targets that differ from row to row"), tr!("{mean} in every row", mean));
                return Err(Error::Data { what, expected, got });
            }
        }
        let number = |value: f32, (mean, deviation): (f64, f64)| match (self.standardised, deviation > 0.0) {
            (false, _) => value,
            (true, true) => ((f64::from(value) - mean) / deviation) as f32,
            (true, false) => 0.0,
        };
        let (mut x, mut y) = (Vec::new(), Vec::new());
        for row in self.values.chunks_exact(self.columns.len()) {
            let mut row = row.iter().zip(&moments).map(|(&value, &moments)| number(value, moments));
            x.extend(row.by_ref().take(inputs));
            y.extend(row);
        }
        let energy = y.iter().map(|&y| f64::from(y) * f64::from(y)).sum::<f64>() / y.len() as f64;
        let shape = Shape { batch: self.rows(), sequence: 1, inputs, outputs: self.targets };
        Ok(TaskData { energy, pool_energy: energy, ..custom(shape, x, y, None, None)? })
    }
}

fn names(record: &StringRecord) -> Vec<String> {
    let numbered = record.iter().any(|cell| number(cell).is_some());
    record
        .iter()
        .enumerate()
        .map(|(at, cell)| if numbered { (at + 1).to_string() } else { cell.trim().to_owned() })
        .collect()
}

fn is_target(column: &str) -> bool {
    let name = column.to_ascii_lowercase();
    TARGETS.iter().any(|start| name.starts_with(start))
}

fn number(cell: &str) -> Option<f32> {
    cell.trim().parse().ok().filter(|value: &f32| value.is_finite())
}

/// A row's numbers, or what is wrong with it.
fn row(record: &StringRecord, columns: &[String]) -> std::result::Result<Vec<f32>, String> {
    if record.len() != columns.len() {
        return Err(tr!("has {} cells, where the first line has {}", record.len(), columns.len()));
    }
    record
        .iter()
        .zip(columns)
        .map(|(cell, column)| {
            number(cell).ok_or_else(|| match cell.trim() {
                "" => tr!("column {column} is empty; fill the hole or leave the row out", column),
                text => {
                    tr!("column {column} holds \"{text}\", which is no number that can be trained on", column, text)
                }
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::Targets;

    fn read(text: &str) -> std::result::Result<Table, Vec<String>> {
        Table::read("data.csv", text.as_bytes()).map_err(|errors| errors.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn names_and_separators_are_found() {
        let mut table = read("\u{feff}x1;x2;y1;y2\r\n1;2;3;4\r\n-1;0.5;1e-3;0\r\n").unwrap();
        assert_eq!(
            table.about(),
            AboutTable {
                name: "data.csv".into(),
                columns: ["x1", "x2", "y1", "y2"].map(String::from).into(),
                rows: 2,
                targets: 2,
                standardised: true
            }
        );
        table.standardise(false);
        let task = table.task().unwrap();
        assert_eq!((task.x, task.batch_sequences, task.sequence), (vec![1.0, 2.0, -1.0, 0.5], 2, 1));
        assert_eq!(task.y, Targets::Dense(vec![3.0, 4.0, 1e-3, 0.0]));
        assert!((task.energy - (9.0 + 16.0 + 1e-6) / 4.0).abs() < 1e-9);
        let mut bare = read("1\t2\t3\n4\t5\t6\n").unwrap();
        assert_eq!((bare.rows(), bare.targets, bare.columns.join(" ")), (2, 1, "1 2 3".into()));
        bare.aim(9);
        assert_eq!(bare.targets, 2);
        assert_eq!(read("\"a, b\",y\n1,2\n").unwrap().columns, ["a, b", "y"]);
    }

    #[test]
    fn holes_are_told_line_by_line() {
        let faults = read("a,b,y\n1,,3\n1,2\n1,2,x\n1,2,NaN\n").unwrap_err();
        assert_eq!(faults.len(), 4);
        assert!(faults[0].contains("data.csv") && faults[0].contains("line 2: column b is empty"), "{faults:?}");
        assert!(faults[1].contains("line 3: has 2 cells, where the first line has 3"), "{faults:?}");
        assert!(faults[2].contains("line 4: column y holds \"x\""), "{faults:?}");
        assert!(faults[3].contains("line 5: column y holds \"NaN\""), "{faults:?}");
        let many = read(&format!("a,y\n{}", "1,\n".repeat(9))).unwrap_err();
        assert!(many.len() == 7 && many[6].contains("3 more lines"), "{many:?}");
    }

    #[test]
    fn what_is_no_table_is_refused() {
        assert!(read("").unwrap_err()[0].contains("no row of numbers"));
        assert!(read("a\n1\n").unwrap_err()[0].contains("has 1 columns"));
        assert!(read("a,y\n").unwrap_err()[0].contains("no row of numbers"));
        let errors = Table::read("data.csv", &[b'1', 0xff]).unwrap_err();
        assert!(errors[0].to_string().contains("from byte 1 on"));
        let same = read("a,y\n1,3\n2,3\n").unwrap().task().unwrap_err().to_string();
        assert!(same.contains("column y of data.csv") && same.contains("3 in every row"), "{same}");
    }

    #[test]
    fn columns_are_standardised() {
        let task = read("a,b,y\n1,7,10\n3,7,40\n8,7,40\n").unwrap().task().unwrap();
        let Targets::Dense(y) = &task.y else { unreachable!() };
        let column =
            |of: &[f32], at: usize, width: usize| of.iter().skip(at).step_by(width).copied().collect::<Vec<_>>();
        for values in [column(&task.x, 0, 2), y.clone()] {
            let (sum, squares) = values.iter().fold((0.0, 0.0), |(sum, squares), v| (sum + v, squares + v * v));
            assert!(sum.abs() < 1e-6 && (squares - 3.0).abs() < 1e-5, "{values:?}");
        }
        assert_eq!(column(&task.x, 1, 2), [0.0; 3]);
        assert!((task.energy - 1.0).abs() < 1e-6);
    }
}
