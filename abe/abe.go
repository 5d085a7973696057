// Package abe encrypts to a policy over attributes that several independent authorities
// vouch for, inside age files.
//
//	HospitalA:role=doctor or HospitalB:role=doctor and HospitalA:visitor
//
// # Multi-authority attribute-based encryption
//
// In ciphertext-policy ABE the sealer writes a policy, not a list of keys. Anybody whose
// attribute keys satisfy the policy can open, and nobody else. No server takes part.
//
// The multi-authority form (Lewko and Waters, "Decentralizing Attribute-Based
// Encryption", EUROCRYPT 2011, eprint 2010/351; cited here by its numbers) has no central
// master secret. Each authority, here each hospital, makes its own keys, knows nothing of
// the others, and is trusted for its own attributes only. A global identifier, the GID,
// ties the keys of one person together. It is built into every key, and keys of two GIDs
// do not combine.
//
// There are three kinds of key:
//
//   - [MasterKey]: the authority's secret, 32 bytes. All exponents are derived from it.
//   - [PublicKey]: e(g1,g2)^α and g2^y, for each version of each attribute. The ledger
//     pins it, and sealers use it.
//   - [UserKey]: K = g1^α · H(GID)^y, for each version of each attribute of each person.
//
// The path that most callers take:
//
//	p, err := policy.Parse(text)                   // the policy
//	r, err := abe.NewRecipient(p, pinnedKey)       // an age.Recipient
//	w, err := age.Encrypt(file, r)                 // or r.Shared() for files sealed together
//
//	id, err := abe.NewIdentity(myKeys)             // an age.Identity
//	plain, err := age.Decrypt(file, id)
//
// Package policy is the policy language. Package authority hands out user keys.
//
// # The scheme
//
// It is the prime order construction of the paper's appendix D, with an asymmetric
// pairing. A policy becomes a span program: a matrix A whose row x belongs to the
// attribute ρ(x). Each attribute owns one row (package policy). The sealer picks a random
// s, vectors v = (s, v2, ...) and w = (0, w2, ...), and a random r for each row. With
// λ = A·v and ω = A·w, a row of the ciphertext is
//
//	C1 = e(g1,g2)^λ · e(g1,g2)^(α r)        C2 = g2^r        C3 = g2^(y r) · g2^ω
//
// A person who holds K for enough rows finds coefficients c with Σ c·A = (1, 0, ..., 0)
// and computes
//
//	Π (C1 · e(H(GID), C3) / e(K, C2))^c = Π (e(g1,g2)^λ · e(H(GID), g2)^ω)^c = e(g1,g2)^s
//
// because Σ c·λ = s and Σ c·ω = 0. With keys of two GIDs the second factor does not
// cancel: this is the collusion resistance.
//
// The secret e(g1,g2)^s encapsulates keys. HKDF turns the secret, the hash of the policy
// and the whole ciphertext, and a random salt into the key of an AEAD, which wraps age's
// file key. The policy, the ciphertext and the salt are also the AEAD's associated data.
// The files of a [SharedRecipient] have one encapsulation, and each has its own salt and
// so its own key. FORMAT.md has every byte.
//
// # Suites
//
// A suite is a choice of groups, hash to the group and encodings. Package
// internal/pairing is its interface, and suite.go is the table of all suites: bn256 is
// the only one so far. The type of a stanza and the first line of an encoded key name the
// suite. A reader that does not know it fails with an [UnknownSuiteError], which says the
// name. Keys of two suites do not combine.
//
// # gofe
//
// The suite bn256 is that of github.com/fentec-project/gofe (its abe.MAABE): the same
// groups, hash, key equations and encodings, and user keys made by gofe's key generation.
// Sealing and opening evaluate gofe's equations in another way: products of Miller loops
// with one final exponentiation where gofe computes two pairings a row, endomorphisms,
// tables, and all processors. Tests open gofe's ciphertexts with this package, and the
// other way round.
//
// Three parts of gofe are not used: the symmetric layer (not authenticated), the policy
// parser, and the decoders. For each of their defects, defect_test.go shows the defect
// and that it cannot happen here.
//
// # What is guaranteed
//
//   - A secret stays secret from everybody whose keys of one GID do not satisfy the
//     policy, whoever colludes, as long as the authorities that they would need are
//     honest. The paper proves this for prime order groups in the generic group and
//     random oracle models.
//   - An authority can make every key under its own name. Alone it opens what its
//     attributes alone satisfy, and nothing else. policy.Lint lists the authorities that
//     could open alone or in pairs. A key that another party made fails [UserKey.Verify].
//   - A stanza that differs from the sealed one in any bit does not open. The error is
//     [ErrTampered] or [ErrMalformed], or [ErrNotSatisfied] when the bit is in the policy
//     or in a version.
//   - Every element of a key, and every C2 in use, is canonical, on its curve, in its
//     group of order r, and not the identity. C1 and C3 are canonical, and C3 is on its
//     curve. Only Π C1^c and Σ c·C3 are used, and both are checked to be in their groups.
//     A C1 or C3 outside its group reveals nothing about a user key K: K is only ever
//     paired with a C2, and e(K, g2) is public by the equation of [UserKey.Verify].
//
// # What is not guaranteed
//
//   - More than about 100 bits of security. The prime of bn256 was chosen before the
//     number field sieve attacks of 2016 (Kim and Barbulescu), and gofe calls itself a
//     library for research. So every stanza names its suite, so that another can follow,
//     and wrapped keys never go on the ledger.
//   - Equal treatment by a dishonest sealer. Some readers who satisfy the policy may get
//     shares or a wrapped key that fail for them. They get an error and no other
//     plaintext, because age's header is authenticated under the file key.
//   - Security against quantum computers. Somebody who records stanzas now can open them
//     with a quantum computer later.
//   - A hidden policy. Anyone who has a stanza can read it ([HeaderPolicies]).
//   - Chosen-ciphertext security by a proof. It rests on the binding described above (as
//     in DHIES: an assumption about the pairing group, not a reduction of the paper's).
//   - Expiry. A key opens for ever what it could open once. Rotation
//     ([PublicKey.Version]) excludes people from files sealed afterwards only. Earlier
//     files must be sealed again, and copies of them stay open.
//   - Constant time. Scalars are math/big integers, and exponentiation branches on their
//     digits. Leaks concern mostly r, λ and ω of one sealing, which are used once; the
//     coefficients c of an opening, which are public; and α and y while an authority
//     issues keys. Run an authority on a machine of its own. Secrets are overwritten
//     after use where Go allows it; math/big and the garbage collector may have made
//     copies.
package abe
