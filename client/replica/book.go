package replica

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"slices"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// A book has what the ledger says of every payload that is in a version of a record: the
// hospitals that have such a record, the sizes that they state, and the hospitals that
// have given a receipt for it. It takes about 170 bytes a payload in memory, and 103
// on the disk.
type book struct {
	next      uint64 // block
	hospitals []string
	pages     []page
	index     map[ledger.PayloadMark]int // of pages
	txs       map[[32]byte]int           // the first page of each
	changed   bool                       // since it was loaded or stored
}

// A page is what the book has of a payload.
type page struct {
	cid           [ledger.CIDSize]byte
	tx            [32]byte // that registered it first
	have          hospitalSet
	registrations []registration // in the order of the ledger, one a home; none if it is in no version
	surplus       surplus
}

// A surplus tells for how long the own node has kept a payload for others.
type surplus struct {
	looks uint8  // in a row that found it so, up to surplusLooks
	since uint32 // seconds since 1970, of the first of them
}

// A registration is that of a payload by one hospital. Anybody who may seal can register
// what another hospital has stored, with another size.
type registration struct {
	home     uint8 // place in the book, or noPlace
	versions uint32
	size     int64 // the largest of them
}

// noPlace is of a hospital that is not known.
const noPlace = 255

// A hospitalSet has hospitals by their places in the book.
type hospitalSet [ledger.MaxKeepers / 64]uint64

func (s *hospitalSet) add(i int)     { s[i/64] |= 1 << (i % 64) }
func (s *hospitalSet) remove(i int)  { s[i/64] &^= 1 << (i % 64) }
func (s hospitalSet) has(i int) bool { return i >= 0 && s[i/64]&(1<<(i%64)) != 0 }

// A ReadLedger hands over what each transaction says of payloads, in blocks from a number
// on: those that it registers, those that it takes out of a version, and receipts for
// pins. It returns the number of the next block, also after an error. Whole tells whether
// it has read every block that was on the ledger when it was called, as far as those say
// that it asks. It is false if one of them does not answer. A receipt must come from the
// hospital that it names.
type ReadLedger func(ctx context.Context, from uint64, handle func([]ledger.Payload, []ledger.End, []ledger.PinReceipt) error) (next uint64, whole bool, err error)

// bookName is the name of the book.
const bookName = "replica/book"

// bookVersion is the first byte of a stored book.
const bookVersion = 3

// Sizes of a page without its registrations, and of one of those.
const (
	pageSize         = ledger.CIDSize + 32 + 8*len(hospitalSet{}) + 1 + 4 + 1
	registrationSize = 1 + 4 + 8
)

// loadBook returns the stored book. Without one, and instead of one of an earlier
// version, which did not tell who came first, it is empty.
//
// Errors:
//   - ErrInvalid if the book is damaged.
//   - Any error of the Memory.
func loadBook(m Memory) (*book, error) {
	b := &book{index: make(map[ledger.PayloadMark]int), txs: make(map[[32]byte]int)}
	data, err := m.Load(bookName)
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		return b, nil
	case err != nil:
		return nil, err
	case len(data) > 0 && data[0] < bookVersion:
		return b, nil
	}
	if err := b.parse(data); err != nil {
		return nil, ledger.Errorf(ledger.ErrInvalid, "item %s is damaged: %v; delete it to read the ledger again", bookName, err)
	}
	return b, nil
}

func (b *book) parse(data []byte) error {
	short := errors.New("it is cut off")
	if len(data) < 11 || data[0] != bookVersion {
		return short
	}
	b.next = binary.BigEndian.Uint64(data[1:])
	n := int(binary.BigEndian.Uint16(data[9:]))
	for data = data[11:]; len(b.hospitals) < n; {
		if len(data) == 0 || len(data) < 1+int(data[0]) || n > ledger.MaxKeepers {
			return short
		}
		b.hospitals, data = append(b.hospitals, string(data[1:1+data[0]])), data[1+data[0]:]
	}
	b.pages = make([]page, 0, len(data)/(pageSize+registrationSize))
	for len(data) > 0 {
		if len(data) < pageSize || data[pageSize-1] == 0 || len(data) < pageSize+int(data[pageSize-1])*registrationSize {
			return short
		}
		p := page{cid: [ledger.CIDSize]byte(data), tx: [32]byte(data[ledger.CIDSize:])}
		if _, err := ledger.UnpackCID(p.cid[:]); err != nil {
			return err
		}
		for i := range p.have {
			p.have[i] = binary.BigEndian.Uint64(data[ledger.CIDSize+32+8*i:])
		}
		p.surplus = surplus{data[pageSize-6], binary.BigEndian.Uint32(data[pageSize-5:])}
		p.registrations = make([]registration, data[pageSize-1])
		data = data[pageSize:]
		for i := range p.registrations {
			p.registrations[i] = registration{data[0], binary.BigEndian.Uint32(data[1:]), int64(binary.BigEndian.Uint64(data[5:]))}
			if home := p.registrations[i].home; home != noPlace && int(home) >= n {
				return errors.New("it names a hospital that it does not have")
			}
			data = data[registrationSize:]
		}
		b.pages = append(b.pages, p)
		b.note(len(b.pages) - 1)
	}
	return nil
}

// store writes the book if it has changed, without payloads that are in no version.
func (b *book) store(m Memory) error {
	if !b.changed {
		return nil
	}
	if len(b.index) < len(b.pages) {
		b.pages = slices.DeleteFunc(b.pages, func(p page) bool { return len(p.registrations) == 0 })
		clear(b.index)
		clear(b.txs)
		for i := range b.pages {
			b.note(i)
		}
	}
	data := make([]byte, 0, 11+len(b.pages)*(pageSize+registrationSize))
	data = binary.BigEndian.AppendUint64(append(data, bookVersion), b.next)
	data = binary.BigEndian.AppendUint16(data, uint16(len(b.hospitals)))
	for _, h := range b.hospitals {
		data = append(append(data, byte(len(h))), h...)
	}
	for i := range b.pages {
		p := &b.pages[i]
		data = append(append(data, p.cid[:]...), p.tx[:]...)
		for _, word := range p.have {
			data = binary.BigEndian.AppendUint64(data, word)
		}
		data = binary.BigEndian.AppendUint32(append(data, p.surplus.looks), p.surplus.since)
		data = append(data, byte(len(p.registrations)))
		for _, r := range p.registrations {
			data = binary.BigEndian.AppendUint32(append(data, r.home), r.versions)
			data = binary.BigEndian.AppendUint64(data, uint64(r.size))
		}
	}
	if err := m.Store(bookName, data); err != nil {
		return err
	}
	b.changed = false
	return nil
}

// restless is how many blocks without payloads are read again after a crash.
const restless = 1000

// read reads what is new on the ledger. It tells whether that is all.
func (b *book) read(ctx context.Context, source ReadLedger) (whole bool, err error) {
	next, whole, err := source(ctx, b.next, func(payloads []ledger.Payload, ends []ledger.End, pins []ledger.PinReceipt) error {
		for _, p := range payloads {
			b.register(p)
		}
		for _, e := range ends {
			b.end(e)
		}
		for _, r := range pins {
			b.receipt(r)
		}
		return nil
	})
	b.changed = b.changed || next > b.next+restless
	b.next = max(next, b.next)
	return whole, err
}

// register adds a version that has a payload. The payloads of a transaction follow each
// other, except those that were registered before.
func (b *book) register(p ledger.Payload) {
	mark := ledger.MarkOf(p.CID)
	i, known := b.index[mark]
	if !known {
		packed, err := ledger.PackCID(p.CID)
		if err != nil {
			return // no contract registers that
		}
		i = len(b.pages)
		b.pages = append(b.pages, page{cid: [ledger.CIDSize]byte(packed), tx: txBytes(p.Tx)})
		b.note(i)
	}
	b.changed = true
	r := b.pages[i].registration(b.home(p.Home))
	r.versions++
	r.size = max(r.size, p.Size)
}

// home gives the home of a registration.
func (b *book) home(msp string) uint8 {
	if i := b.place(msp); i >= 0 {
		return uint8(i)
	}
	return noPlace
}

// registration returns that of a home, or a new one.
func (p *page) registration(home uint8) *registration {
	i := slices.IndexFunc(p.registrations, func(r registration) bool { return r.home == home })
	if i < 0 {
		i = len(p.registrations)
		p.registrations = append(p.registrations, registration{home: home})
	}
	return &p.registrations[i]
}

// note indexes a page.
func (b *book) note(i int) {
	b.index[b.pages[i].mark()] = i
	if _, known := b.txs[b.pages[i].tx]; !known {
		b.txs[b.pages[i].tx] = i
	}
}

// end takes a payload out of a version of a hospital. The page of one that is in none is
// left out when the book is stored.
func (b *book) end(e ledger.End) {
	mark := ledger.MarkOf(e.CID)
	i, known := b.index[mark]
	if !known {
		return
	}
	p, home := &b.pages[i], b.home(e.Home)
	at := slices.IndexFunc(p.registrations, func(r registration) bool { return r.home == home })
	if at < 0 {
		return
	}
	b.changed = true
	if p.registrations[at].versions--; p.registrations[at].versions == 0 {
		p.registrations = slices.Delete(p.registrations, at, at+1)
	}
	if len(p.registrations) == 0 {
		delete(b.index, mark)
	}
}

// receipt replaces what a keeper has said of a transaction's payloads.
func (b *book) receipt(r ledger.PinReceipt) {
	marks, err := r.Marks()
	keeper := b.place(r.Keeper)
	tx := txBytes(r.Tx)
	first, known := b.txs[tx]
	if err != nil || keeper < 0 || !known {
		return
	}
	b.changed = true
	for i := first; i < len(b.pages) && b.pages[i].tx == tx; i++ {
		b.pages[i].have.remove(keeper)
	}
	for _, m := range marks {
		if i, known := b.index[m]; known && b.pages[i].tx == tx {
			b.pages[i].have.add(keeper)
		}
	}
}

// place gives the place of a hospital in the book. It is -1 if there is no more room.
func (b *book) place(msp string) int {
	i := slices.Index(b.hospitals, msp)
	if i < 0 && len(b.hospitals) < ledger.MaxKeepers && msp != "" && len(msp) < 256 {
		i = len(b.hospitals)
		b.hospitals = append(b.hospitals, msp)
	}
	return i
}

// names gives the hospitals of a set.
func (b *book) names(s hospitalSet) (all []string) {
	for i, h := range b.hospitals {
		if s.has(i) {
			all = append(all, h)
		}
	}
	return all
}

// each yields the payloads that are in a version.
func (b *book) each(yield func(*page) bool) {
	for i := range b.pages {
		if len(b.pages[i].registrations) > 0 && !yield(&b.pages[i]) {
			return
		}
	}
}

// find returns the page of a payload that is in a version, or nil.
func (b *book) find(cid string) *page {
	if i, known := b.index[ledger.MarkOf(cid)]; known {
		return &b.pages[i]
	}
	return nil
}

func (p *page) id() string {
	cid, err := ledger.UnpackCID(p.cid[:])
	if err != nil {
		panic(err) // it was packed, or parsed with a check
	}
	return cid
}

func (p *page) mark() ledger.PayloadMark { return ledger.MarkOf(p.id()) }

// homes gives the hospitals that have a record of a payload, the first one first. One
// that is not known is "".
func (b *book) homes(p *page) []string {
	homes := make([]string, len(p.registrations))
	for i, r := range p.registrations {
		if r.home != noPlace {
			homes[i] = b.hospitals[r.home]
		}
	}
	return homes
}

// payloads gives what each home has registered, the first one first.
func (b *book) payloads(p *page) []ledger.Payload {
	all := make([]ledger.Payload, len(p.registrations))
	for i, home := range b.homes(p) {
		all[i] = ledger.Payload{CID: p.id(), Size: p.registrations[i].size, Home: home, Tx: hex.EncodeToString(p.tx[:])}
	}
	return all
}

// receipted gives a payload as receipts name it.
func (p *page) receipted() ledger.Payload {
	return ledger.Payload{CID: p.id(), Tx: hex.EncodeToString(p.tx[:])}
}

// txBytes reads a transaction id. Any other text gives the zero value.
func txBytes(id string) (tx [32]byte) {
	if raw, err := hex.DecodeString(id); err == nil && len(raw) == len(tx) {
		tx = [32]byte(raw)
	}
	return tx
}
