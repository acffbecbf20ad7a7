//! The content of messages.

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

/// Content that can be sent: every value that implements [`Serialize`], [`Bytes`], and [`Data`].
pub trait Content: sealed::Content {}

impl<T: sealed::Content + ?Sized> Content for T {}

impl Data {
    /// Parses the content as JSON into a value of type `T`. Bytes are parsed as the JSON that `value` gives for them.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`] if the content does not have the form of `T`.
    ///
    /// ```
    /// # async fn example(client: ipcio::Client) -> Result<(), ipcio::Error> {
    /// let (width, height): (u32, u32) = client.deliver("size", ()).await?.parse()?;
    /// # Ok(())
    /// # }
    /// ```
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

    /// The content as JSON. Bytes become the JSON of a `Buffer` in JavaScript: `{"type":"Buffer","data":[…]}`. Content with
    /// a number that `Value` cannot hold becomes `null`.
    pub fn value(&self) -> Value {
        // The text was checked to be JSON when it was received. Only numbers beyond the range of `Value` can fail.
        self.parse().unwrap_or_default()
    }

    /// The bytes, if the sender sent [`Bytes`] or a `Buffer`.
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

    /// Keeps other crates from implementing the public trait.
    pub trait Content {
        /// The content as it is sent.
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
