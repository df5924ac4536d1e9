//! Values of Arrow columns as JSON text.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, FixedSizeBinaryArray, Float64Array, Int64Array,
    LargeStringArray, ListArray, StringArray, StringViewArray, UInt64Array,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, TimeUnit, UInt64Type};

use crate::json;

/// A column whose values can be written as JSON.
pub(super) enum Cells {
    /// Nothing but nulls.
    Null,
    Text(StringArray),
    LargeText(LargeStringArray),
    TextView(StringViewArray),
    Whole(Int64Array),
    Unsigned(UInt64Array),
    Float(Float64Array),
    Boolean(BooleanArray),
    /// Digits with a point.
    Decimal(StringArray),
    /// Moments, and how they become milliseconds.
    Moment(Int64Array, Scale),
    Uuid(FixedSizeBinaryArray),
    List(ListArray, Box<Cells>),
}

/// How many units a millisecond has, or how many milliseconds a unit has.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scale {
    /// A unit is so many milliseconds.
    Milliseconds(i64),
    /// A millisecond has `10^n` units.
    Digits(u32),
}

impl Cells {
    /// Makes a column ready; `None` when its type has no form in JSON.
    pub(super) fn new(column: &ArrayRef) -> Option<Self> {
        let whole = |column: &ArrayRef| {
            Some(cast(column, &DataType::Int64).ok()?.as_primitive::<Int64Type>().clone())
        };
        Some(match column.data_type() {
            DataType::Null => Cells::Null,
            DataType::Utf8 => Cells::Text(column.as_string().clone()),
            DataType::LargeUtf8 => Cells::LargeText(column.as_string().clone()),
            DataType::Utf8View => Cells::TextView(column.as_string_view().clone()),
            DataType::Dictionary(_, values) => return Self::new(&cast(column, values).ok()?),
            DataType::RunEndEncoded(_, values) => {
                return Self::new(&cast(column, values.data_type()).ok()?);
            }
            DataType::Boolean => Cells::Boolean(column.as_boolean().clone()),
            DataType::UInt64 => Cells::Unsigned(column.as_primitive::<UInt64Type>().clone()),
            ty if ty.is_integer() => Cells::Whole(whole(column)?),
            ty if ty.is_floating() => Cells::Float(
                cast(column, &DataType::Float64).ok()?.as_primitive::<Float64Type>().clone(),
            ),
            ty if ty.is_decimal() => {
                Cells::Decimal(cast(column, &DataType::Utf8).ok()?.as_string().clone())
            }
            DataType::Date32 => {
                let days = cast(column, &DataType::Int32).ok()?;
                Cells::Moment(whole(&days)?, Scale::Milliseconds(86_400_000))
            }
            DataType::Date64 => Cells::Moment(whole(column)?, Scale::Milliseconds(1)),
            DataType::Timestamp(unit, _) => Cells::Moment(
                whole(column)?,
                match unit {
                    TimeUnit::Second => Scale::Milliseconds(1000),
                    TimeUnit::Millisecond => Scale::Milliseconds(1),
                    TimeUnit::Microsecond => Scale::Digits(3),
                    TimeUnit::Nanosecond => Scale::Digits(6),
                },
            ),
            DataType::FixedSizeBinary(16) => Cells::Uuid(column.as_fixed_size_binary().clone()),
            DataType::List(element)
            | DataType::LargeList(element)
            | DataType::ListView(element)
            | DataType::LargeListView(element)
            | DataType::FixedSizeList(element, _) => return Self::list(column, element),
            _ => return None,
        })
    }

    fn list(column: &ArrayRef, element: &Arc<Field>) -> Option<Self> {
        let list = cast(column, &DataType::List(element.clone())).ok()?;
        let list: &ListArray = list.as_list();
        let elements = Self::new(list.values())?;
        // Lists of lists are no links, and nothing else is a list.
        match elements {
            Cells::List(..) => None,
            elements => Some(Cells::List(list.clone(), Box::new(elements))),
        }
    }

    /// Whether there is no value in a row.
    pub(super) fn is_null(&self, row: usize) -> bool {
        match self {
            Cells::Null => true,
            Cells::Text(column) | Cells::Decimal(column) => column.is_null(row),
            Cells::LargeText(column) => column.is_null(row),
            Cells::TextView(column) => column.is_null(row),
            Cells::Whole(column) | Cells::Moment(column, _) => column.is_null(row),
            Cells::Unsigned(column) => column.is_null(row),
            Cells::Float(column) => column.is_null(row),
            Cells::Boolean(column) => column.is_null(row),
            Cells::Uuid(column) => column.is_null(row),
            Cells::List(column, _) => column.is_null(row),
        }
    }

    /// The text of a row, when the column has text.
    pub(super) fn text(&self, row: usize) -> Option<&str> {
        match self {
            Cells::Text(column) => Some(column.value(row)),
            Cells::LargeText(column) => Some(column.value(row)),
            Cells::TextView(column) => Some(column.value(row)),
            _ => None,
        }
    }

    /// The milliseconds since 1970 of a row, when the column has integers or moments.
    pub(super) fn milliseconds(&self, row: usize) -> Option<i64> {
        match self {
            Cells::Whole(column) | Cells::Moment(column, Scale::Milliseconds(1)) => {
                Some(column.value(row))
            }
            Cells::Moment(column, Scale::Milliseconds(unit)) => {
                column.value(row).checked_mul(*unit)
            }
            Cells::Moment(column, Scale::Digits(digits)) => {
                Some(column.value(row).div_euclid(10_i64.pow(*digits)))
            }
            Cells::Unsigned(column) => i64::try_from(column.value(row)).ok(),
            _ => None,
        }
    }

    /// Appends the value of a row as JSON.
    pub(super) fn write(&self, row: usize, out: &mut Vec<u8>) {
        if self.is_null(row) {
            return out.extend_from_slice(b"null");
        }
        match self {
            Cells::Null => {}
            Cells::Text(_) | Cells::LargeText(_) | Cells::TextView(_) => {
                json::write_string(self.text(row).unwrap_or_default(), out);
            }
            Cells::Whole(column) => out.extend_from_slice(column.value(row).to_string().as_bytes()),
            Cells::Unsigned(column) => {
                out.extend_from_slice(column.value(row).to_string().as_bytes());
            }
            Cells::Float(column) => write_float(column.value(row), out),
            Cells::Boolean(column) => {
                out.extend_from_slice(if column.value(row) { b"true" } else { b"false" });
            }
            Cells::Decimal(column) => out.extend_from_slice(column.value(row).as_bytes()),
            Cells::Moment(column, scale) => write_moment(column.value(row), *scale, out),
            Cells::Uuid(column) => match uuid::Uuid::from_slice(column.value(row)) {
                Ok(id) => json::write_string(&id.to_string(), out),
                Err(_) => out.extend_from_slice(b"null"),
            },
            Cells::List(column, elements) => {
                let offsets = column.value_offsets();
                let (from, to) = (offsets[row], offsets[row + 1]);
                out.push(b'[');
                for at in from..to {
                    if at > from {
                        out.push(b',');
                    }
                    elements.write(usize::try_from(at).unwrap_or_default(), out);
                }
                out.push(b']');
            }
        }
    }
}

/// The shortest digits that read back as the same double; whole numbers without a point. What is
/// no number in JSON is a text.
fn write_float(value: f64, out: &mut Vec<u8>) {
    let text = match value {
        _ if !value.is_finite() => format!("\"{value}\""),
        _ if value.fract() == 0.0 && value.abs() < 9e15 => format!("{value:.0}"),
        _ => serde_json::Number::from_f64(value).map(|n| n.to_string()).unwrap_or_default(),
    };
    out.extend_from_slice(text.as_bytes());
}

/// Exact milliseconds, with a fraction where the unit is finer.
fn write_moment(value: i64, scale: Scale, out: &mut Vec<u8>) {
    let text = match scale {
        Scale::Milliseconds(unit) => (i128::from(value) * i128::from(unit)).to_string(),
        Scale::Digits(digits) => {
            let unit = 10_u64.pow(digits);
            let sign = if value < 0 { "-" } else { "" };
            let (whole, rest) = (value.unsigned_abs() / unit, value.unsigned_abs() % unit);
            let width = digits as usize;
            let fraction = format!(".{rest:0width$}");
            let fraction = fraction.trim_end_matches('0').trim_end_matches('.');
            format!("{sign}{whole}{fraction}")
        }
    };
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use arrow::array::{
        Date32Array, Decimal128Array, DictionaryArray, Float32Array, Int8Array, ListBuilder,
        StringBuilder, StructArray, TimestampMicrosecondArray, TimestampNanosecondArray,
        TimestampSecondArray,
    };
    use arrow::datatypes::Int32Type;

    use super::*;

    fn check(column: impl Array + 'static, expected: &str) {
        let column: ArrayRef = Arc::new(column);
        let cells = Cells::new(&column).expect("a type that can be read");
        let mut out = Vec::new();
        for row in 0..column.len() {
            cells.write(row, &mut out);
            out.push(b' ');
        }
        assert_eq!(String::from_utf8(out).unwrap().trim_end(), expected);
    }

    #[test]
    fn every_flat_type_becomes_json() {
        check(StringArray::from(vec![Some("a\"\u{0}é"), None]), r#""a\"\u0000é" null"#);
        check(LargeStringArray::from(vec!["a"]), r#""a""#);
        check(StringViewArray::from(vec!["a"]), r#""a""#);
        let words: DictionaryArray<Int32Type> = ["x", "y", "x"].into_iter().collect();
        check(words, r#""x" "y" "x""#);
        check(Int8Array::from(vec![-1]), "-1");
        check(
            Int64Array::from(vec![i64::MIN, 9_007_199_254_740_993]),
            "-9223372036854775808 9007199254740993",
        );
        check(UInt64Array::from(vec![u64::MAX]), "18446744073709551615");
        check(Float64Array::from(vec![1.0, -0.1, 1e300, f64::NAN]), "1 -0.1 1e+300 \"NaN\"");
        check(Float32Array::from(vec![0.5]), "0.5");
        check(BooleanArray::from(vec![true, false]), "true false");
        let decimals = Decimal128Array::from(vec![-1250, 5]).with_precision_and_scale(10, 2);
        check(decimals.unwrap(), "-12.50 0.05");
        check(Date32Array::from(vec![-1, 1]), "-86400000 86400000");
        check(TimestampSecondArray::from(vec![-1, 2]), "-1000 2000");
        check(
            TimestampMicrosecondArray::from(vec![1_500, -1, 1_000]).with_timezone("+02:00"),
            "1.5 -0.001 1",
        );
        check(TimestampNanosecondArray::from(vec![1_000_001, -2_500_000]), "1.000001 -2.5");
        let mut lists = ListBuilder::new(StringBuilder::new());
        lists.append_value([Some("a"), None]);
        lists.append_value(Vec::<Option<&str>>::new());
        lists.append_null();
        check(lists.finish(), r#"["a",null] [] null"#);
    }

    #[test]
    fn nested_columns_are_refused() {
        let nested: ArrayRef = Arc::new(StructArray::new_empty_fields(1, None));
        assert!(Cells::new(&nested).is_none());
    }
}
