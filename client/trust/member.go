package trust

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/chartseal/chartseal/abe/authority"
	"github.com/chartseal/chartseal/chaincode/ledger"
)

// The roots of the members decide who can sign. A false list of them is dangerous: the
// authority would issue keys to anyone, and its people would trust any authority. So the
// list is confirmed by a witness when it is first read, and its roots are pinned. A
// profile may also name the roots beforehand, see [Directory].Roots.

// membersItem is the item with the members as they were last read.
const membersItem = "members.json"

// membersFresh is how long the members that were read serve to verify signatures. It
// bounds how late a revocation counts.
const membersFresh = 5 * time.Minute

// Members returns the channel's organisations as the own peer lists them, confirmed by
// the first witness that answers. Their roots must be the pinned ones.
//
// Errors:
//   - [RootChangedError], which is ErrTampered, if a member's roots are not the pinned
//     ones.
//   - ErrTampered if a witness lists other organisations, roots or revocations.
//   - ErrUnavailable if the own peer, or every witness, does not answer.
func (d *Directory) Members(ctx context.Context) ([]authority.MSP, error) {
	now, err := listMembers(ctx, d.Ledger, d.Witnesses)
	if err != nil {
		return nil, err
	}
	known, err := d.knownMembers()
	if err != nil {
		return nil, err
	}
	pinned := make([]pinnedMember, len(now))
	for i, m := range now {
		before := known.find(m.ID)
		if err := d.compareRoots(m, before); err != nil {
			return nil, err
		}
		pinned[i] = pinMember(m, before)
	}
	// A member that is not listed keeps its pin. Otherwise peers could leave it out, and
	// list it again with another root, which would then be believed as a first one.
	for _, m := range known.Members {
		if !slices.ContainsFunc(now, func(n authority.MSP) bool { return n.ID == m.MSP }) {
			m.Gone = true
			pinned = append(pinned, m)
		}
	}
	text, err := json.Marshal(rememberedMembers{time.Now().UTC(), pinned})
	if err != nil {
		return nil, err
	}
	return now, d.Memory.Store(membersItem, text)
}

// compareRoots compares a member's roots with the pinned ones, or with those that the
// profile names.
func (d *Directory) compareRoots(m authority.MSP, before *pinnedMember) error {
	now := idsOf(m.Roots)
	known := d.Roots[m.ID]
	if before != nil {
		known = idsOfRaw(before.Roots)
	}
	if len(known) > 0 && !slices.Equal(now, known) {
		return &RootChangedError{Member: m.ID, Known: known, Now: now}
	}
	return nil
}

// AcceptRoots pins the present roots of a member instead of the ones before, after a
// person has compared them with what the member says on another way. The signatures of
// certificates that the roots before have issued stay valid.
//
// Errors:
//   - ErrNotFound if the channel has no such member.
//   - ErrTampered if the member has other roots now.
//   - those of [Directory.Members].
func (d *Directory) AcceptRoots(ctx context.Context, member string, roots []ledger.CertificateID) error {
	now, err := listMembers(ctx, d.Ledger, d.Witnesses)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(now, func(m authority.MSP) bool { return m.ID == member })
	if i < 0 {
		return ledger.Errorf(ledger.ErrNotFound, "the channel has no member %s", member)
	}
	if is := idsOf(now[i].Roots); !slices.Equal(is, sorted(roots)) {
		return ledger.Errorf(ledger.ErrTampered, "the roots of %s are %v", member, is)
	}
	known, err := d.knownMembers()
	if err != nil {
		return err
	}
	accepted := pinMember(now[i], nil)
	if before := known.find(member); before != nil {
		accepted.Former = append(before.Former, before.Roots...)
		*before = accepted
	} else {
		known.Members = append(known.Members, accepted)
	}
	text, err := json.Marshal(known)
	if err != nil {
		return err
	}
	return d.Memory.Store(membersItem, text)
}

// recentMembers returns the members as they were read within membersFresh. Former roots
// are among the roots.
func (d *Directory) recentMembers(ctx context.Context) ([]authority.MSP, error) {
	known, err := d.knownMembers()
	if err != nil {
		return nil, err
	}
	if age := time.Since(known.Read); age < 0 || age > membersFresh || len(known.Members) == 0 {
		if _, err := d.Members(ctx); err != nil {
			return nil, err
		}
		if known, err = d.knownMembers(); err != nil {
			return nil, err
		}
	}
	var all []authority.MSP
	for _, m := range known.Members {
		if m.Gone {
			continue
		}
		one, err := m.msp()
		if err != nil {
			return nil, ledger.Errorf(ledger.ErrInvalid, "the remembered members of the channel cannot be read: %v", err)
		}
		all = append(all, one)
	}
	return all, nil
}

// A PinnedMember is a member whose roots are pinned.
type PinnedMember struct {
	MSP    string
	Roots  []ledger.CertificateID // sorted
	Pinned time.Time              // zero if an earlier release pinned them
	Named  bool                   // the profile names exactly these roots
}

// PinnedMembers returns the members as they are pinned, without asking anyone.
//
// Errors:
//   - ErrInvalid if the pins are damaged.
func (d *Directory) PinnedMembers() ([]PinnedMember, error) {
	known, err := d.knownMembers()
	if err != nil {
		return nil, err
	}
	var all []PinnedMember
	for _, m := range known.Members {
		roots := idsOfRaw(m.Roots)
		all = append(all, PinnedMember{m.MSP, roots, m.Pinned, slices.Equal(roots, sorted(d.Roots[m.MSP]))})
	}
	return all, nil
}

// A memberLister reads the channel's organisations from one peer.
type memberLister interface {
	ChannelMSPs(ctx context.Context) ([]authority.MSP, error)
}

// listMembers reads the members and has a witness confirm them.
func listMembers[L memberLister](ctx context.Context, own L, witnesses []L) ([]authority.MSP, error) {
	ours, err := own.ChannelMSPs(ctx)
	if err != nil {
		return nil, err
	}
	err = confirm(ctx, "the channel's members", witnesses, func(ctx context.Context, w L) (bool, error) {
		theirs, err := w.ChannelMSPs(ctx)
		if err != nil || slices.EqualFunc(ours, theirs, sameMSP) {
			return err == nil, err
		}
		// Either peer may be a few blocks behind.
		if ours, err = own.ChannelMSPs(ctx); err != nil {
			return false, err
		}
		return slices.EqualFunc(ours, theirs, sameMSP), nil
	})
	if err != nil {
		return nil, err
	}
	return ours, nil
}

// A RootChangedError says that a member has other roots than the ones that were pinned.
// The member may have renewed them, or somebody pretends so. A person has to ask the
// member, see [Directory.AcceptRoots].
type RootChangedError struct {
	Member string
	Known  []ledger.CertificateID // sorted
	Now    []ledger.CertificateID // sorted
}

func (e *RootChangedError) Error() string {
	return fmt.Sprintf("the root certificates of %s have changed: %v were known, and the channel now has %v", e.Member, e.Known, e.Now)
}

// Unwrap makes it ErrTampered.
func (e *RootChangedError) Unwrap() error { return ledger.ErrTampered }

// rememberedMembers is the content of membersItem.
type rememberedMembers struct {
	Read    time.Time      `json:"read"`
	Members []pinnedMember `json:"members"`
}

// A pinnedMember is a member as it was last read. All certificates and lists are DER.
type pinnedMember struct {
	MSP           string    `json:"msp"`
	Pinned        time.Time `json:"pinned,omitzero"` // when the roots were first seen, or accepted
	Roots         [][]byte  `json:"roots"`
	Former        [][]byte  `json:"former,omitempty"` // roots that were replaced
	Intermediates [][]byte  `json:"intermediates,omitempty"`
	CRLs          [][]byte  `json:"crls,omitempty"`
	Gone          bool      `json:"gone,omitempty"` // no longer listed: vouches for nobody, and keeps its pin
}

func (r *rememberedMembers) find(msp string) *pinnedMember {
	for i := range r.Members {
		if r.Members[i].MSP == msp {
			return &r.Members[i]
		}
	}
	return nil
}

func (d *Directory) knownMembers() (known rememberedMembers, err error) {
	text, err := d.Memory.Load(membersItem)
	if errors.Is(err, ledger.ErrNotFound) {
		return known, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &known)
	}
	if err != nil {
		return known, ledger.Errorf(ledger.ErrInvalid, "the pinned roots of the members cannot be read: %v", err)
	}
	return known, nil
}

func pinMember(m authority.MSP, before *pinnedMember) pinnedMember {
	p := pinnedMember{MSP: m.ID, Pinned: time.Now().UTC(), Roots: rawOf(m.Roots), Intermediates: rawOf(m.Intermediates)}
	for _, crl := range m.CRLs {
		p.CRLs = append(p.CRLs, crl.Raw)
	}
	if before != nil {
		p.Former, p.Pinned = before.Former, before.Pinned
	}
	return p
}

func (p pinnedMember) msp() (m authority.MSP, err error) {
	m.ID = p.MSP
	if m.Roots, err = parseAll(slices.Concat(p.Roots, p.Former), x509.ParseCertificate); err != nil {
		return m, err
	}
	if m.Intermediates, err = parseAll(p.Intermediates, x509.ParseCertificate); err != nil {
		return m, err
	}
	m.CRLs, err = parseAll(p.CRLs, x509.ParseRevocationList)
	return m, err
}

func parseAll[T any](all [][]byte, parse func([]byte) (T, error)) (parsed []T, err error) {
	for _, der := range all {
		one, err := parse(der)
		if err != nil {
			return nil, err
		}
		parsed = append(parsed, one)
	}
	return parsed, nil
}

func rawOf(certificates []*x509.Certificate) (raw [][]byte) {
	for _, c := range certificates {
		raw = append(raw, c.Raw)
	}
	return raw
}

func idsOf(certificates []*x509.Certificate) []ledger.CertificateID {
	return idsOfRaw(rawOf(certificates))
}

func idsOfRaw(raw [][]byte) (ids []ledger.CertificateID) {
	for _, der := range raw {
		ids = append(ids, ledger.IDOfCertificate(der))
	}
	return sorted(ids)
}

func sorted(ids []ledger.CertificateID) []ledger.CertificateID {
	return slices.SortedFunc(slices.Values(ids), func(a, b ledger.CertificateID) int { return strings.Compare(a.String(), b.String()) })
}

func sameMSP(a, b authority.MSP) bool {
	return a.ID == b.ID && sameRaw(a.Roots, b.Roots) && sameRaw(a.Intermediates, b.Intermediates) && sameRaw(a.TLSRoots, b.TLSRoots) &&
		slices.EqualFunc(a.CRLs, b.CRLs, func(x, y *x509.RevocationList) bool { return bytes.Equal(x.Raw, y.Raw) })
}

func sameRaw(a, b []*x509.Certificate) bool {
	return slices.EqualFunc(a, b, func(x, y *x509.Certificate) bool { return x.Equal(y) })
}
