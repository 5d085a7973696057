// Package plugin is the program age-plugin-chartseal: it makes policies and wallets
// usable from the standard age tool, by the plugin protocol of age (c2sp.org/age-plugin).
// The sealed files are those of package abe, no others: what age seals with it package
// abe opens, and the other way round.
//
// # Recipients
//
// age1chartseal1... is Bech32 of one byte and what it announces:
//
//	1  the canonical policy text
//	2  the policy text and the public keys of the attributes that it is sealed to, sorted by name, each part with its length in
//	   two bytes, big-endian; the keys in the encoding of package abe
//
// A recipient of kind 1 names attributes, and what they mean is looked up whenever
// something is sealed: on the ledger, as the user that CHARTSEAL_USER or the
// configuration names, with the pins of package client: a key that was seen before with
// another value is refused. The keys are kept in the wallet, and serve when the ledger
// does not answer; the user is then told how old they are. A recipient of kind 2 needs
// neither wallet nor ledger. Whoever accepts it trusts its maker for the keys, as with
// any recipient of age; keys that contradict what the acting user has seen are refused.
//
// # Identities
//
// AGE-PLUGIN-CHARTSEAL-1... is Bech32 of one byte and what it announces, or of nothing:
//
//	   no data: the user that CHARTSEAL_USER or the configuration names (age -j chartseal)
//	1  NAME@ORG, a user of the wallet: no secret, the attribute keys stay in the wallet
//	2  a record key of 32 bytes, a secret: it opens one payload, see package envelope
//
// Opening asks no network. It is not logged anywhere: the access log records who was
// handed a wrapped key, and here the holder of the file had it already. So do not seal
// with age what belongs on the ledger.
//
// # What is said how
//
// A mistake (an unknown user, an unknown attribute, a damaged stanza) is the protocol's
// error, and age stops with it. A policy that is not satisfied is a message, which names
// what is missing, and then "no identity matched" from age, since another identity may
// open the file. All of it is one clean line. The temporary directory is where age starts
// plugins, so a relative path of a wallet is refused.
package plugin
