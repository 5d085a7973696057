package replica

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"slices"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// A book has what the ledger says of every payload that is in a version of a record: its
// size, the hospitals that have such a record, and those that have given a receipt for
// it. It takes about 250 bytes a payload in memory, and 112 on the disk.
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
	cid      [ledger.CIDSize]byte
	tx       [32]byte // that registered it first
	size     int64
	versions uint32 // of records that have it
	homes    hospitalSet
	have     hospitalSet // that say so
}

// A hospitalSet has hospitals by their places in the book.
type hospitalSet [ledger.MaxKeepers / 64]uint64

func (s *hospitalSet) add(i int)     { s[i/64] |= 1 << (i % 64) }
func (s *hospitalSet) remove(i int)  { s[i/64] &^= 1 << (i % 64) }
func (s hospitalSet) has(i int) bool { return i >= 0 && s[i/64]&(1<<(i%64)) != 0 }

// A ReadLedger hands over what each transaction says of payloads, in blocks from a number
// on: those that it registers, those that it takes out of a version, and receipts for
// pins. It returns the number of the next block, also after an error. It fails unless it
// has read every block that was on the ledger when it was called. A receipt must come
// from the hospital that it names.
type ReadLedger func(ctx context.Context, from uint64, handle func([]ledger.Payload, []ledger.End, []ledger.PinReceipt) error) (next uint64, err error)

// bookName is the name of the book.
const bookName = "replica/book"

// bookVersion is the first byte of a stored book.
const bookVersion = 1

const pageSize = ledger.CIDSize + 32 + 8 + 4 + 2*8*len(hospitalSet{})

// loadBook returns the stored book. Without one it is empty.
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
	if len(data)%pageSize != 0 {
		return short
	}
	b.pages = make([]page, 0, len(data)/pageSize)
	for ; len(data) > 0; data = data[pageSize:] {
		p := page{cid: [ledger.CIDSize]byte(data), tx: [32]byte(data[ledger.CIDSize:])}
		if _, err := ledger.UnpackCID(p.cid[:]); err != nil {
			return err
		}
		rest := data[ledger.CIDSize+32:]
		p.size, p.versions = int64(binary.BigEndian.Uint64(rest)), binary.BigEndian.Uint32(rest[8:])
		for i, word := range [...]*uint64{&p.homes[0], &p.homes[1], &p.have[0], &p.have[1]} {
			*word = binary.BigEndian.Uint64(rest[12+8*i:])
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
		b.pages = slices.DeleteFunc(b.pages, func(p page) bool { return p.versions == 0 })
		clear(b.index)
		clear(b.txs)
		for i := range b.pages {
			b.note(i)
		}
	}
	data := make([]byte, 0, 11+len(b.pages)*pageSize)
	data = binary.BigEndian.AppendUint64(append(data, bookVersion), b.next)
	data = binary.BigEndian.AppendUint16(data, uint16(len(b.hospitals)))
	for _, h := range b.hospitals {
		data = append(append(data, byte(len(h))), h...)
	}
	for i := range b.pages {
		p := &b.pages[i]
		data = append(append(data, p.cid[:]...), p.tx[:]...)
		data = binary.BigEndian.AppendUint64(data, uint64(p.size))
		data = binary.BigEndian.AppendUint32(data, p.versions)
		for _, s := range [...]hospitalSet{p.homes, p.have} {
			for _, word := range s {
				data = binary.BigEndian.AppendUint64(data, word)
			}
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

// read reads what is new on the ledger.
func (b *book) read(ctx context.Context, source ReadLedger) error {
	next, err := source(ctx, b.next, func(payloads []ledger.Payload, ends []ledger.End, pins []ledger.PinReceipt) error {
		for _, p := range payloads {
			b.register(p)
		}
		for _, e := range ends {
			b.end(e.CID)
		}
		for _, r := range pins {
			b.receipt(r)
		}
		return nil
	})
	b.changed = b.changed || next > b.next+restless
	b.next = max(next, b.next)
	return err
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
		b.pages = append(b.pages, page{cid: [ledger.CIDSize]byte(packed), tx: txBytes(p.Tx), size: p.Size})
		b.note(i)
	}
	b.changed = true
	b.pages[i].versions++
	if home := b.place(p.Home); home >= 0 {
		b.pages[i].homes.add(home)
	}
}

// note indexes a page.
func (b *book) note(i int) {
	b.index[b.pages[i].mark()] = i
	if _, known := b.txs[b.pages[i].tx]; !known {
		b.txs[b.pages[i].tx] = i
	}
}

// end takes a payload out of a version. The page of one that is in none is left out when
// the book is stored.
func (b *book) end(cid string) {
	mark := ledger.MarkOf(cid)
	i, known := b.index[mark]
	if !known {
		return
	}
	b.changed = true
	if b.pages[i].versions--; b.pages[i].versions == 0 {
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
		if b.pages[i].versions > 0 && !yield(&b.pages[i]) {
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

func (p *page) payload(home string) ledger.Payload {
	return ledger.Payload{CID: p.id(), Size: p.size, Home: home, Tx: hex.EncodeToString(p.tx[:])}
}

// txBytes reads a transaction id. Any other text gives the zero value.
func txBytes(id string) (tx [32]byte) {
	if raw, err := hex.DecodeString(id); err == nil && len(raw) == len(tx) {
		tx = [32]byte(raw)
	}
	return tx
}
