// Package abe encrypts to a policy over attributes that several independent authorities
// vouch for, inside age files.
//
//	HospitalA:role=doctor or HospitalB:role=doctor and HospitalA:visitor
//
// # Multi-authority attribute-based encryption
//
// In ciphertext-policy ABE the sealer writes down who may open, not a list of keys:
// anybody who has, from whatever source, keys for attributes that satisfy the policy can
// open, and nobody else, with no server to ask. In the multi-authority form (Lewko and
// Waters, "Decentralizing Attribute-Based Encryption", EUROCRYPT 2011, eprint 2010/351;
// cited here by its numbers) there is no master secret above all. Each authority, here
// each hospital, makes its own keys, knows nothing of the others, and is trusted for its
// own attributes only. What ties the keys of one person together is their global
// identifier, the GID: every key has it built in, and keys of two GIDs do not combine.
//
// There are three kinds of key:
//
//   - [MasterKey]: the authority's secret, 32 bytes, from which all exponents are
//     derived.
//   - [PublicKey]: one for each version of each attribute: e(g1,g2)^α and g2^y. The
//     ledger pins it, and sealers use it.
//   - [UserKey]: one for each version of each attribute of each person: K = g1^α ·
//     H(GID)^y.
//
// The path that most callers take:
//
//	p, err := policy.Parse(text)                   // who may open
//	r, err := abe.NewRecipient(p, pinnedKey)       // an age.Recipient
//	w, err := age.Encrypt(file, r)                 // or r.Shared() for files that are sealed together
//
//	id, err := abe.NewIdentity(myKeys)             // an age.Identity
//	plain, err := age.Decrypt(file, id)
//
// Package authority hands out user keys, and package policy is the language.
//
// # The scheme
//
// It is the prime order construction of the paper's appendix D, with an asymmetric
// pairing. A policy becomes a span program: a matrix A whose row x belongs to the
// attribute ρ(x), each attribute owning one row (package policy). The sealer picks a
// random s, vectors v = (s, v2, ...) and w = (0, w2, ...), and for each row a random r;
// with λ = A·v and ω = A·w:
//
//	C1 = e(g1,g2)^λ · e(g1,g2)^(α r)        C2 = g2^r        C3 = g2^(y r) · g2^ω
//
// Someone who holds K for enough rows finds coefficients c with Σ c·A = (1, 0, ..., 0)
// and computes
//
//	Π (C1 · e(H(GID), C3) / e(K, C2))^c = Π (e(g1,g2)^λ · e(H(GID), g2)^ω)^c = e(g1,g2)^s
//
// as Σ c·λ = s and Σ c·ω = 0. With keys of two GIDs the second factor does not cancel:
// that is the collusion resistance. The secret e(g1,g2)^s is used as a key encapsulation:
// HKDF turns it, the hash of the policy and all of the ciphertext, and a random salt into
// the key of the AEAD that wraps age's file key, with all these as associated data. Each
// file of a [SharedRecipient] has another salt, and so another key, under one
// encapsulation.
// FORMAT.md has every byte.
//
// # gofe
//
// The group, the hash to the group, the key equations and the elements' encodings are
// those of github.com/fentec-project/gofe (its abe.MAABE) and its curve, bn256. User keys
// are made by gofe's key generation. Sealing and opening evaluate gofe's equations
// ourselves: a product of Miller loops with one final exponentiation where gofe computes
// two full pairings a row, the curve's endomorphisms, tables, all processors. The tests
// open what gofe sealed with ours and the other way round. gofe's symmetric layer is not
// used (it is not authenticated), nor are its policy parser and its decoders; for each
// defect there is a test that shows it and that it cannot happen here (defect_test.go).
//
// # What is guaranteed
//
//   - A secret whose policy nobody satisfies with the keys of one GID stays secret,
//     whoever colludes, as long as the authorities that would be needed are honest. The
//     paper proves this for prime order groups in the generic group and random oracle
//     models.
//   - An authority can make itself every key under its own name. It opens alone what its
//     attributes alone satisfy, and nothing else; policy.Lint tells which authorities,
//     alone or in pairs, could open. Anyone else's key fails [UserKey.Verify].
//   - A stanza that differs in one bit from what was sealed does not open ([ErrTampered],
//     [ErrMalformed], or [ErrNotSatisfied] when the bit is in the policy or in a
//     version).
//   - Every element of a key, and every C2 in use, is canonical, on its curve, in its
//     group of order r, and not the identity. C1 and C3 are canonical, and C3 is on its
//     curve; they come into play as Π C1^c and Σ c·C3, which are checked to be in their
//     groups. What goes wrong in them tells nothing about a user key: the pairing of that
//     with a C2 is all that is computed from it, and e(K, g2) is public anyway, by the
//     equation of [UserKey.Verify].
//
// # What is not
//
//   - About 100 bits of security: bn256's prime was chosen before the number field sieve
//     attacks of 2016 (Kim and Barbulescu). gofe calls itself a library for research.
//     Every stanza names its suite, so that another can follow; wrapped keys never go on
//     the ledger.
//   - Nothing binds a dishonest sealer to treat all alike: some who satisfy the policy
//     may be given shares or a wrapped key that fail for them. They get an error and no
//     other plaintext, because age's header is authenticated under the file key.
//   - Not post-quantum. Whoever records stanzas now can open them with a quantum computer
//     later.
//   - The policy is not hidden. Anyone who has a stanza can read it ([HeaderPolicies]).
//   - Chosen-ciphertext security rests on the binding described above (as in DHIES, an
//     assumption about the pairing group, not a reduction of the paper's).
//   - Nothing expires. A key opens for ever what it could open once. Rotation
//     ([PublicKey.Version]) shuts people out of what is sealed afterwards, and only of
//     that; what was sealed before has to be sealed again, and copies stay open.
//   - Not constant time. Scalars are math/big integers, and exponentiation branches on
//     their digits; what leaks is mostly r, λ and ω of a sealing, which are used once,
//     the coefficients c of an opening, which are public, and α and y when an authority
//     issues. An authority should run on a machine of its own. Secrets are overwritten
//     after use where Go allows; math/big and the garbage collector may have made copies.
package abe
