package importer

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

func sections(t *testing.T, text string, cut func(each func(section) error) error) []string {
	t.Helper()
	var out []string
	if err := cut(func(s section) error {
		out = append(out, text[s.offset:s.offset+s.length])
		return nil
	}); err != nil {
		t.Fatalf("%.40q: %v", text, err)
	}
	return out
}

func TestLines(t *testing.T) {
	long := strings.Repeat("x", 200<<10)
	for text, want := range map[string][]string{
		"":                                   nil,
		"\n \r\n\t\n":                        nil,
		"a":                                  {"a"},
		"a\n":                                {"a"},
		"a\r\nb c \n\n  d":                   {"a", "b c", "d"},
		long + "\n" + long + " " + long:      {long, long + " " + long},
		strings.Repeat(" ", 100<<10) + "a\n": {"a"},
	} {
		got := sections(t, text, func(each func(section) error) error { return lines(strings.NewReader(text), each) })
		if !slices.Equal(got, want) {
			t.Errorf("%.40q: %d lines, want %d", text, len(got), len(want))
		}
	}
	broken := errors.New("broken")
	if err := lines(iotest.ErrReader(broken), func(section) error { return nil }); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

// TestResources compares with encoding/json.
func TestResources(t *testing.T) {
	big := strings.Repeat(`\"{[`, 50000)
	for _, text := range []string{
		`{"resourceType":"Bundle"}`,
		`{"resourceType":"Bundle","entry":[]}`,
		"\ufeff" + `{"resourceType":"Bundle","entry":[{"resource":{"after":"a mark"}}]}`,
		` {"entry" : [ {"fullUrl":"a","resource": {"a":[1,{"b":"}"}]} } , {"request":{"method":"DELETE"}}, {"resource":{}}], "resourceType":"Bundle", "x":null } `,
		`{"resourceType":"Bundle","contained":[{"entry":[{"resource":{"not":"this"}}]}],"entry":[{"resource":{"resourceType":"Bundle","entry":[{"resource":{"in":1}}]},"n":-1.5e+3}]}`,
		`{"resourceType":"Bundle","entry":[{"resource":{"data":"` + big + `"}},{"res\u006furce":{"escaped":"key"}}]}`,
	} {
		var parsed struct {
			Entry []struct {
				Resource json.RawMessage `json:"resource"`
			} `json:"entry"`
		}
		if err := json.Unmarshal([]byte(strings.TrimPrefix(text, byteOrderMark)), &parsed); err != nil {
			t.Fatal(err)
		}
		var want []string
		missing := 0
		for _, e := range parsed.Entry {
			if e.Resource == nil {
				missing++
				continue
			}
			want = append(want, string(e.Resource))
		}
		var without int
		got := sections(t, text, func(each func(section) error) (err error) {
			without, err = resources(iotest.OneByteReader(strings.NewReader(text)), func(e entry) error { return each(e.section) })
			return err
		})
		if !slices.Equal(got, want) || without != missing {
			t.Errorf("%.60q: %.200q and %d without, want %.200q and %d", text, got, without, want, missing)
		}
	}
}

func TestNoBundle(t *testing.T) {
	deep := strings.Repeat("[", 100000)
	for _, text := range []string{"", "x", "[]", "{}", `{"resourceType":"Patient","entry":[{"resource":{}}]}`, `{"entry":[{"resource":{}}]}`,
		`{"resourceType":"Bundle"`, `{"resourceType":"Bundle","entry":[{"resource":{}`, `{"resourceType":"Bundle"}{"resourceType":"Bundle"}`,
		`{"resourceType":"Bundle","entry":[,]}`, `{"resourceType":"Bundle","a":` + deep, `{"resourceType":"Bundle",}`, "\"", `{"a`} {
		if ok, err := bundleItself(t.Context(), strings.NewReader(text), section{0, int64(len(text))}); ok != nil || err != nil {
			t.Errorf("%.60q: %v, %v", text, ok, err)
		}
	}
	for _, read := range []string{"", `{"resourceType":"Bundle","entry":[{"resource":{"a":"`} {
		if _, err := bundleItself(t.Context(), brokenAt(read), section{0, 100}); err == nil {
			t.Errorf("a broken reader after %q is not reported", read)
		}
	}
}

// brokenAt is a text after which reading fails.
type brokenAt string

func (b brokenAt) ReadAt(p []byte, at int64) (int, error) {
	return copy(p, b[min(at, int64(len(b))):]), errors.New("broken")
}

// An array of resources is taken apart like a bundle. Another one is not.
func TestResourcesInAnArray(t *testing.T) {
	for text, want := range map[string][]string{
		"\ufeff [ {\"resourceType\":\"Patient\",\"a\":[{}]} ,\n{\"b\":{},\"resourceType\":\"Bundle\"}]\n": {`{"resourceType":"Patient","a":[{}]}`, `{"b":{},"resourceType":"Bundle"}`},
		`[]`: nil, `[1]`: nil, `[{"a":1}]`: nil, `[[{"resourceType":"Patient"}]]`: nil, `[{"resourceType":"Patient"},{"a":1}]`: nil,
		`[{"resourceType":"Patient"}`: nil, `[{"resourceType":"Patient"}][]`: nil, `[{"resourceType":"Patient","resourceType":"Binary"}]`: nil,
	} {
		whole := section{0, int64(len(text))}
		itself, err := bundleItself(t.Context(), strings.NewReader(text), whole)
		if err != nil || (itself != nil) != (want != nil) {
			t.Errorf("%q: %v, %v", text, itself, err)
		}
		if want == nil {
			continue
		}
		got := sections(t, text, func(each func(section) error) error {
			_, err := resources(strings.NewReader(text), func(e entry) error { return each(e.section) })
			return err
		})
		if !slices.Equal(got, want) {
			t.Errorf("%q: %q", text, got)
		}
	}
}

// FuzzResources: what is called a bundle has the resources that encoding/json finds, if
// that accepts it too.
func FuzzResources(f *testing.F) {
	f.Add([]byte(`{"resourceType":"Bundle","entry":[{"resource":{"a":1}},{}]}`))
	f.Add([]byte(`{"resourceType":"Bundle","entry":[{"resource":{"a":"\\\""}}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var got []string
		_, err := resources(bytes.NewReader(text), func(e entry) error {
			got = append(got, string(text[e.section.offset:e.section.offset+e.section.length]))
			return nil
		})
		if err != nil || !json.Valid(text) {
			return
		}
		for _, r := range got {
			if !json.Valid([]byte(r)) {
				t.Fatalf("%q is not a value of %q", r, text)
			}
		}
	})
}
