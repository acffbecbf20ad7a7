//! What messages carry.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{Code, Error};
use crate::machine::Payload;
use crate::protocol::v1::message;

/// The content of a message or of an answer: JSON, or raw bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Data(Form);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    Json(Vec<u8>),
    Bytes(Vec<u8>),
}

/// Raw bytes as the content of a message. In JavaScript they arrive as a `Buffer`.
///
/// ```
/// # async fn example(client: ipcio::Client) -> Result<(), ipcio::Error> {
/// client.send("frame", ipcio::Bytes(&[0x00, 0xff])).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes<'a>(pub &'a [u8]);

/// What can be sent: everything that [`Serialize`]s to JSON, and [`Bytes`].
pub trait Content: sealed::Content {}

impl<T: sealed::Content + ?Sized> Content for T {}

impl Data {
    /// It as a value of a type of one's own.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`] if it has another form.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let parsed = match &self.0 {
            Form::Json(text) => serde_json::from_slice(text),
            Form::Bytes(bytes) => serde_json::from_slice(&message::bytes_as_json(bytes)),
        };
        parsed.map_err(|error| {
            Error::new(
                Code::InvalidArgument,
                format!("The data does not have the expected form: {error}; send what the receiver expects."),
            )
            .caused_by(error)
        })
    }

    /// It as JSON of any form. Bytes become what a `Buffer` says of itself in JavaScript.
    pub fn value(&self) -> Value {
        // It was checked to be JSON when it came in; numbers beyond the range of `Value` are all that is left.
        self.parse().unwrap_or_default()
    }

    /// The bytes, if that is what was sent.
    pub fn bytes(&self) -> Option<&[u8]> {
        match &self.0 {
            Form::Json(_) => None,
            Form::Bytes(bytes) => Some(bytes),
        }
    }

    pub(super) fn payload(&self) -> Payload<'_> {
        match &self.0 {
            Form::Json(text) => Payload::Json(text),
            Form::Bytes(bytes) => Payload::Bytes(bytes, None),
        }
    }
}

impl From<Payload<'_>> for Data {
    fn from(payload: Payload<'_>) -> Data {
        Data(match payload {
            Payload::Json(text) | Payload::Text(text, _) => Form::Json(text.to_vec()),
            Payload::Bytes(bytes, _) => Form::Bytes(bytes.to_vec()),
        })
    }
}

pub(super) mod sealed {
    use super::{Data, Error};

    /// Keeps the ways to become data ours.
    pub trait Content {
        /// It as it goes out.
        fn to_data(&self) -> Result<Data, Error>;
    }
}

impl<T: Serialize + ?Sized> sealed::Content for T {
    fn to_data(&self) -> Result<Data, Error> {
        let text = serde_json::to_vec(self).map_err(|error| {
            Error::new(
                Code::InvalidArgument,
                format!("The data can't be written as JSON: {error}; send values that JSON supports."),
            )
            .caused_by(error)
        })?;
        Ok(Data(Form::Json(text)))
    }
}

impl sealed::Content for Bytes<'_> {
    fn to_data(&self) -> Result<Data, Error> {
        Ok(Data(Form::Bytes(self.0.to_vec())))
    }
}

impl sealed::Content for Data {
    fn to_data(&self) -> Result<Data, Error> {
        Ok(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::sealed::Content as _;
    use super::*;

    #[test]
    fn values_and_bytes_come_back_as_they_were() {
        let data = (1, "two").to_data().unwrap();
        assert_eq!(data.parse::<(u8, String)>().unwrap(), (1, "two".into()));
        assert_eq!((data.value(), data.bytes()), (serde_json::json!([1, "two"]), None));
        let data = Bytes(&[7, 255]).to_data().unwrap();
        assert_eq!(data.bytes(), Some(&[7, 255][..]));
        assert_eq!(data.value(), serde_json::json!({ "type": "Buffer", "data": [7, 255] }));
    }

    #[test]
    fn data_of_another_form_is_an_error_that_says_so() {
        let error = "text".to_data().unwrap().parse::<u8>().unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
    }
}
