// Package plugin is the program age-plugin-chartseal. It lets the standard age tool seal
// to policies and open with the keys in a wallet, by age's plugin protocol
// (c2sp.org/age-plugin). It adds no file format: package abe opens the files that age
// seals with the plugin, and the other way round.
//
// # Recipients
//
// A recipient, age1chartseal1..., is the Bech32 encoding of a kind byte and its data:
//
//	1  the canonical policy text
//	2  the policy text and the public keys of the attributes that it is sealed to,
//	   sorted by name. Each part follows its length in two bytes, big-endian. The keys
//	   are in the encoding of package abe
//
// A recipient of kind 1 only names attributes. Each time a file is sealed, the plugin
// looks up their public keys on the ledger, as the user that CHARTSEAL_USER or the
// configuration names. It refuses a key that differs from the pinned one, see package
// trust. The wallet keeps the keys for use when the ledger does not answer; the plugin
// then tells the user how old they are.
//
// A recipient of kind 2 needs neither wallet nor ledger. Its user trusts its maker for
// the keys, as with any recipient of age. The plugin refuses keys that contradict those
// that the acting user has seen.
//
// # Identities
//
// An identity, AGE-PLUGIN-CHARTSEAL-1..., is the Bech32 encoding of a kind byte and its
// data, or of nothing:
//
//	   no data: the user that CHARTSEAL_USER or the configuration names (age -j chartseal)
//	1  NAME@ORG, a user of the wallet: no secret, the attribute keys stay in the wallet
//	2  a record key of 32 bytes, a secret: it opens one payload, see package envelope
//
// Opening needs no network and is not logged. The access log records requests for wrapped
// keys, but the holder of an age file has the wrapped key already. So do not use age for
// records that belong on the ledger.
//
// # Messages
//
// A mistake (an unknown user, an unknown attribute, a damaged stanza) is an error of the
// protocol, and age stops. An unsatisfied policy is only a message, which names the
// missing attributes, because another identity may open the file. If none does, age says
// "no identity matched". Every message is one line, safe on a terminal.
//
// age starts plugins in the temporary directory, so the plugin refuses a relative path of
// a wallet.
package plugin
