package contract

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// A busy channel has 7 records, the first of them in 3 versions, and 12 accesses by two
// readers.
func busy(t *testing.T) (c *channel, auditor []byte) {
	t.Helper()
	c = newChannel(t)
	doctor := person(t, "HospitalA", "doctor", "doctor")
	readers := [][]byte{person(t, "HospitalB", "doctor", "doctor"), person(t, "HospitalC", "nurse", "nurse")}
	for i := range 7 {
		c.seal(doctor, i)
	}
	for v := 2; v <= 3; v++ {
		_, err := c.submit(doctor, sealing(t, newRecord(0)), ledger.RecordAmend, v)
		ok(t, nil, err)
	}
	for i := range 12 {
		c.ask(readers[i%2], recordID(i%3))
	}
	return c, person(t, "Regulator", "auditor", "auditor")
}

// at gives the time of the nth transaction.
func at(n int) string { return ledger.FormatTime(start.Add(time.Duration(n) * time.Second)) }

func (c *channel) records(who []byte, q ledger.RecordQuery) ledger.RecordPage {
	c.t.Helper()
	payload, err := c.evaluate("Regulator", who, ledger.AuditRecords, q)
	return must[ledger.RecordPage](c.t, payload, err)
}

func (c *channel) accesses(who []byte, q ledger.AccessQuery) ledger.AccessPage {
	c.t.Helper()
	payload, err := c.evaluate("Regulator", who, ledger.AuditAccesses, q)
	return must[ledger.AccessPage](c.t, payload, err)
}

func TestAuditRecords(t *testing.T) {
	c, auditor := busy(t)
	for name, tc := range map[string]struct {
		query ledger.RecordQuery
		want  int
	}{
		"all":                    {ledger.RecordQuery{}, 9},
		"since":                  {ledger.RecordQuery{Since: at(2)}, 7},
		"until":                  {ledger.RecordQuery{Until: at(2)}, 2},
		"between":                {ledger.RecordQuery{Since: at(2), Until: at(8)}, 6},
		"an empty time":          {ledger.RecordQuery{Since: at(2), Until: at(2)}, 0},
		"one record":             {ledger.RecordQuery{Record: recordID(0)}, 3},
		"one record since":       {ledger.RecordQuery{Record: recordID(0), Since: at(8)}, 1},
		"one record until":       {ledger.RecordQuery{Record: recordID(0), Until: at(8)}, 2},
		"an unknown record":      {ledger.RecordQuery{Record: recordID(99)}, 0},
		"later than all":         {ledger.RecordQuery{Since: at(1000)}, 0},
		"earlier than all":       {ledger.RecordQuery{Until: ledger.FormatTime(start.AddDate(-1, 0, 0))}, 0},
		"no rows, one at a time": {ledger.RecordQuery{Since: at(1000), PageSize: 1}, 0},
	} {
		for _, size := range []int{1, 2, 3, 100} {
			q, got := tc.query, []ledger.RecordVersion{}
			for pages := 0; ; pages++ {
				q.PageSize = size
				page := c.records(auditor, q)
				if len(page.Versions) > size || pages > 20 {
					t.Fatalf("%s: page %d has %d rows", name, pages, len(page.Versions))
				}
				got = append(got, page.Versions...)
				if q.Bookmark = page.Bookmark; q.Bookmark == "" {
					break
				}
			}
			if len(got) != tc.want {
				t.Errorf("%s by %d: got %d rows, want %d", name, size, len(got), tc.want)
			}
			for i := 1; i < len(got); i++ {
				if got[i-1].Time > got[i].Time || got[i-1] == got[i] {
					t.Errorf("%s by %d: row %d is out of order", name, size, i)
				}
			}
		}
	}
}

// TestAuditRecordsOfAuthor: everybody may list what they have sealed themselves, and
// nothing else.
func TestAuditRecordsOfAuthor(t *testing.T) {
	c, auditor := busy(t)
	c.seal(person(t, "HospitalA", "other", "doctor"), 50)
	all := c.records(auditor, ledger.RecordQuery{}).Versions
	name := all[0].Author
	msp, id, _ := strings.Cut(name, "/")
	who := person(t, msp, id, "doctor")
	var got, want []ledger.RecordVersion
	for _, v := range all {
		if v.Author == name {
			want = append(want, v)
		}
	}
	q := ledger.RecordQuery{Author: name, PageSize: 2}
	for more := true; more; more = q.Bookmark != "" {
		page := c.records(who, q)
		got, q.Bookmark = append(got, page.Versions...), page.Bookmark
	}
	if len(want) == len(all) || !slices.Equal(got, want) {
		t.Errorf("got %d of %d versions, want %d", len(got), len(all), len(want))
	}
	if again := c.records(auditor, ledger.RecordQuery{Author: name}).Versions; !slices.Equal(again, want) {
		t.Errorf("an auditor got %d, want %d", len(again), len(want))
	}
	for _, bad := range []ledger.RecordQuery{{}, {Author: "HospitalC/somebody"}, {Record: all[0].ID}} {
		_, err := c.evaluate("HospitalA", who, ledger.AuditRecords, bad)
		refused(t, ledger.ErrDenied, nil, err)
	}
}

// The versions of one transaction are one row in the order of time. A page may end within
// it.
func TestAuditRecordsOfOneTransaction(t *testing.T) {
	c, auditor := newChannel(t), person(t, "Regulator", "auditor", "auditor")
	doctor := person(t, "HospitalA", "doctor", "doctor")
	c.seal(doctor, 100)
	records := make([]ledger.NewRecord, 7)
	for i := range records {
		records[i] = newRecord(i)
	}
	_, err := c.submit(doctor, sealing(t, records...), ledger.RecordCreate)
	ok(t, nil, err)
	c.seal(doctor, 101)
	want := []string{recordID(100)}
	for _, r := range records {
		want = append(want, r.ID)
	}
	want = append(want, recordID(101))
	for _, size := range []int{0, 1, 2, 3, 7, 8, 9, 100} {
		var got []string
		q := ledger.RecordQuery{PageSize: size}
		for pages := 0; pages < 20; pages++ {
			page := c.records(auditor, q)
			if len(page.Versions) > cmp.Or(size, ledger.DefaultPageSize) {
				t.Errorf("by %d: a page of %d", size, len(page.Versions))
			}
			for _, v := range page.Versions {
				got = append(got, v.ID)
			}
			if q.Bookmark = page.Bookmark; q.Bookmark == "" {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("by %d: got %q", size, got)
		}
	}
	within := c.records(auditor, ledger.RecordQuery{PageSize: 3}).Bookmark
	row, _, cut := strings.Cut(within, ".")
	if !cut {
		t.Fatalf("bookmark %q", within)
	}
	for _, bad := range []string{row + ".", row + ".-1", row + ".x", row + ".7", row + ".2.1", ".2", "AAAA.2"} {
		_, err := c.evaluate("Regulator", auditor, ledger.AuditRecords, ledger.RecordQuery{Bookmark: bad})
		refused(t, ledger.ErrInvalid, nil, err)
	}
}

func TestAuditAccesses(t *testing.T) {
	c, auditor := busy(t)
	for name, tc := range map[string]struct {
		query ledger.AccessQuery
		want  int
	}{
		"all":                           {ledger.AccessQuery{}, 12},
		"since":                         {ledger.AccessQuery{Since: at(11)}, 10},
		"between":                       {ledger.AccessQuery{Since: at(11), Until: at(13)}, 2},
		"of a record":                   {ledger.AccessQuery{Record: recordID(1)}, 4},
		"of a record since":             {ledger.AccessQuery{Record: recordID(1), Since: at(11)}, 3},
		"of a scope":                    {ledger.AccessQuery{Record: "scope:consortium"}, 0},
		"by an actor":                   {ledger.AccessQuery{Actor: "HospitalC/nurse"}, 6},
		"by an actor until":             {ledger.AccessQuery{Actor: "HospitalC/nurse", Until: at(13)}, 2},
		"by the hospital alone":         {ledger.AccessQuery{Actor: "HospitalC/n"}, 0},
		"of a record by an actor":       {ledger.AccessQuery{Record: recordID(0), Actor: "HospitalC/nurse"}, 2},
		"of a record by an actor since": {ledger.AccessQuery{Record: recordID(0), Actor: "HospitalC/nurse", Since: at(13)}, 1},
		"of a record by nobody":         {ledger.AccessQuery{Record: recordID(0), Actor: "HospitalC/nobody"}, 0},
	} {
		for _, size := range []int{1, 2, 100} {
			q, got := tc.query, []ledger.AccessEntry{}
			for {
				q.PageSize = size
				page := c.accesses(auditor, q)
				got = append(got, page.Entries...)
				if q.Bookmark = page.Bookmark; q.Bookmark == "" || len(got) > 100 {
					break
				}
			}
			if len(got) != tc.want {
				t.Errorf("%s by %d: got %d rows, want %d", name, size, len(got), tc.want)
			}
			for i, e := range got {
				if q.Actor != "" && e.Actor != q.Actor || q.Record != "" && e.Target != q.Record || e.Time < q.Since || q.Until != "" && e.Time >= q.Until {
					t.Errorf("%s: %+v does not belong", name, e)
				}
				if i > 0 && got[i-1].ID >= e.ID {
					t.Errorf("%s: row %d is out of order", name, i)
				}
			}
		}
	}
}

func TestAuditInvalid(t *testing.T) {
	c, auditor := busy(t)
	for _, q := range []ledger.RecordQuery{
		{PageSize: -1}, {PageSize: ledger.MaxPageSize + 1}, {Record: "x"}, {Record: "../record"}, {Since: "yesterday"}, {Since: "2026-03-14T09:00:00Z"},
		{Until: "2026-02-30T00:00:00.000000000Z"}, {Since: at(3), Until: at(2)}, {Since: at(1) + "/x"},
	} {
		_, err := c.evaluate("Regulator", auditor, ledger.AuditRecords, q)
		refused(t, ledger.ErrInvalid, nil, err)
	}
	// A bookmark continues only its own query.
	first := c.accesses(auditor, ledger.AccessQuery{PageSize: 1}).Bookmark
	for _, bookmark := range []string{"*", "AAAA", base64.RawURLEncoding.EncodeToString([]byte("record/")),
		base64.RawURLEncoding.EncodeToString([]byte("\x00index\x00HospitalA\x00")), first, base64.RawURLEncoding.EncodeToString([]byte("zzz"))} {
		_, err := c.evaluate("Regulator", auditor, ledger.AuditRecords, ledger.RecordQuery{Bookmark: bookmark})
		refused(t, ledger.ErrInvalid, nil, err)
	}
	next := c.records(auditor, ledger.RecordQuery{PageSize: 1}).Bookmark
	_, err := c.evaluate("Regulator", auditor, ledger.AuditRecords, ledger.RecordQuery{Bookmark: next, Until: at(1)})
	refused(t, ledger.ErrInvalid, nil, err)
}

// A query that keeps few of its rows ends a page early, with a bookmark, and still finds
// all of them.
func TestAuditSkipsMuch(t *testing.T) {
	c, auditor := busy(t)
	rare := ledger.AccessEntry{Target: recordID(5), Actor: "HospitalB/rare", Purpose: "TREAT"}
	for i := range 2*maxScan + 10 {
		e := rare
		if i != 3 && i != 2*maxScan {
			e.Actor = "HospitalB/often"
		}
		e.Time, e.Tx = at(100+i), fmt.Sprintf("%064x", i)
		e.ID = ledger.AccessID(e.Time, e.Tx)
		c.plant(e)
	}
	q, found, pages := ledger.AccessQuery{Record: recordID(5), Actor: "HospitalB/rare", PageSize: ledger.MaxPageSize}, 0, 0
	for {
		page := c.accesses(auditor, q)
		found += len(page.Entries)
		pages++
		if q.Bookmark = page.Bookmark; q.Bookmark == "" {
			break
		}
	}
	if found != 2 || pages != 3 {
		t.Errorf("found %d in %d pages", found, pages)
	}
	_, err := c.evaluate("Regulator", auditor, ledger.AuditHistory, recordID(5))
	refused(t, ledger.ErrInvalid, nil, err) // more than MaxHistory events
}

func TestHistory(t *testing.T) {
	c, auditor := busy(t)
	payload, err := c.evaluate("Regulator", auditor, ledger.AuditHistory, recordID(0))
	got := must[[]ledger.HistoryEvent](t, payload, err)
	text := ""
	for i, e := range got {
		text += fmt.Sprintf("%s %d %s %s; ", e.Event, e.Version, e.Actor, e.Purpose)
		if i > 0 && got[i-1].Time > e.Time {
			t.Errorf("event %d is out of order", i)
		}
	}
	if want := "sealed 1 HospitalA/doctor ; amended 2 HospitalA/doctor ; amended 3 HospitalA/doctor ; " +
		"accessed 0 HospitalB/doctor TREAT; accessed 0 HospitalC/nurse TREAT; accessed 0 HospitalB/doctor TREAT; accessed 0 HospitalC/nurse TREAT; "; text != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
	_, err = c.evaluate("Regulator", auditor, ledger.AuditHistory, recordID(99))
	refused(t, ledger.ErrNotFound, nil, err)
	_, err = c.evaluate("Regulator", auditor, ledger.AuditHistory, "record/"+recordID(0))
	refused(t, ledger.ErrInvalid, nil, err)
}
