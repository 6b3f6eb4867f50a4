//! Prost's codec with a bound on what a small message may become.
//!
//! An empty tensor takes two bytes on the wire and a hundred in memory: without a bound a message of
//! one megabyte would become half a million of them.

use super::fault;
use crate::error::{ApiError, Code};
use prost::{
    DecodeError, Message,
    bytes::Buf,
    encoding::{DecodeContext, decode_key, skip_field},
};
use std::marker::PhantomData;
use tonic::{
    Status,
    codec::{BufferSettings, Codec, DecodeBuf, Decoder},
};
use tonic_prost::{ProstCodec, ProstEncoder};

/// Most fields of a message, those of its parts not counted: inputs, outputs and raw contents.
pub const FIELDS_MOST: usize = 4096;

/// As [`ProstCodec`], for messages of at most [`FIELDS_MOST`] fields.
#[derive(Debug)]
pub struct BoundedCodec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for BoundedCodec<T, U> {
    fn default() -> Self {
        BoundedCodec(PhantomData)
    }
}

impl<T, U> Codec for BoundedCodec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = BoundedDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<T, U>::raw_encoder(BufferSettings::default())
    }

    fn decoder(&mut self) -> Self::Decoder {
        BoundedDecoder(PhantomData)
    }
}

/// The decoder of [`BoundedCodec`].
#[derive(Debug)]
pub struct BoundedDecoder<U>(PhantomData<U>);

impl<U: Message + Default> Decoder for BoundedDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, buf: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        // The buffer is one piece: tonic has gathered the message before it asks.
        let decoded = fields(buf.chunk()).and_then(|fields| match fields {
            ..=FIELDS_MOST => U::decode(buf).map(Some).map_err(not_protobuf),
            _ => Err(ApiError::new(
                Code::BodyTooLarge,
                format!("the message has {fields} tensors and parameters, at most {FIELDS_MOST} are taken"),
            )),
        });
        decoded.map_err(fault::status)
    }
}

/// Fields of a message.
fn fields(mut message: &[u8]) -> Result<usize, ApiError> {
    let mut count = 0;
    while message.has_remaining() {
        let (tag, kind) = decode_key(&mut message).map_err(not_protobuf)?;
        skip_field(kind, tag, &mut message, DecodeContext::default()).map_err(not_protobuf)?;
        count += 1;
    }
    Ok(count)
}

fn not_protobuf(error: DecodeError) -> ApiError {
    let message = format!("the message is not what the call takes: {error}");
    ApiError::new(Code::MalformedRequest, message)
}
