// Package contract holds the rules of the ledger: six contracts, one a concept, on
// fabric-contract-api-go v2.
//
//	authority   attribute authorities and their pinned public keys
//	scope       search domains, their epochs and wrapped keys
//	record      records, their versions and wrapped keys
//	index       encrypted keyword entries, write once
//	access      who asked for which wrapped key, and why
//	audit       what auditors read
//
// Package ledger has their transactions' names, types, keys and limits. [New] makes the
// whole chaincode.
//
// # What it guarantees
//
// Callers are who their certificate says: MSP, enrolment id and role come from the
// creator's certificate and from nowhere else. Every argument is checked before anything
// is read or written, and a transaction writes all or nothing.
//
// No wrapped key enters a block: envelopes come in through the transient map, go to the
// private data collection of the hospitals, and leave only through evaluated calls, to
// the actor of a committed and recent access entry.
//
// What envelopes that were sealed together begin with (the encapsulation of their policy)
// is stored once, under its hash, and never again. It opens nothing without the rest of
// an envelope, which has the salt, the wrapped keys and the metadata and takes an access
// entry as before. Where that rest is purged, as an erasure would (there is no such
// transaction yet), nothing is left of the record's key, while its neighbours still open.
// The beginning stays, with the policy in clear text.
//
// A block has what a transaction writes once: in its write set, which its endorsers and
// its client sign. What is to be written comes in through the transient map, and nothing
// goes back in the response.
//
// No hot keys: a submitted transaction reads only keys that are written once, or that
// belong to the one attribute or scope which it changes, and never a range. Two clients
// conflict only when they change the same thing, and then one must lose.
//
// Every refusal crosses the wire with a code of package ledger. Errors of Fabric's own
// are ErrUnavailable.
//
// # What it does not
//
// Chaincode sees arguments, not meaning: it cannot tell whether an envelope holds the
// right key, or whether a public key is a point on the curve. Clients verify both. A
// peer's administrator can read that peer's database, private data included, without
// asking the chaincode. And the time of a transaction is its client's claim, see
// [Config.Clock].
//
// # Determinism
//
// Endorsers must agree byte by byte, so the package has no clock, no randomness, no
// goroutines and no map iteration; a test holds that. The two evaluated calls that hand
// out wrapped keys differ between organisations on purpose.
package contract
