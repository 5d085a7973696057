// Package ledger is the vocabulary that the chaincode and its clients share: transaction
// names, the JSON types that travel, the layout of the world state, limits on arguments,
// and error codes.
//
// It holds no rules and imports only the standard library, so both sides can depend on
// it. Package contract has the rules.
//
// # The path of a call
//
// A client names a transaction, such as [RecordCreate], and passes its arguments as text
// and JSON. What the transaction will write travels in the transient map instead, in a
// packed form: see [PackRecords], [Envelopes.Pack] and [TransientEntries]. The contract
// checks the call and writes state under the keys of this package, with values such as
// [VersionValue]. A client that follows blocks reads them back with [ReadVersion] and
// [ReadAccess].
//
// A refusal is an [Error] of one of seven kinds. The chaincode sends it as the text of
// [Encode]. Fabric wraps that text in words of its own, and [Decode] finds it again, so
// errors.Is works on both sides.
//
// # What is on the ledger
//
// The ledger keeps everything for ever, so no record and no secret key is on it, not even
// encrypted. It has
//
//   - of a record version: record id, content identifier, commitment, author, home
//     hospital and time;
//   - of an index entry: the hash of a pseudorandom label, and a sealed value;
//   - of an access: the actor, the target, the purpose of use and the time;
//   - of a signer: the enrolment certificate;
//   - authorities, public keys of attributes, names and epochs of scopes.
//
// It never has plaintext, keywords, patients, file names or wrapped keys. A wrapped key
// (an envelope, or the key of a scope) is no argument and no response of a submitted
// transaction. It goes in through the transient map, stays in the private data collection
// [HospitalKeys], of which a block has only hashes, and comes out through evaluated
// calls.
//
// # Determinism
//
// Every endorser must write the same bytes. So each value has one form only: ids are
// lower-case, times have a fixed width, packed lists have one encoding. Parsers refuse
// every other form, and nothing here reads a clock or a source of randomness.
package ledger
