// Command icd10gen writes the table of ICD-10-CM blocks and chapters that package index
// embeds, from the tabular list of the public-domain release by CDC and CMS:
//
//	go run ./client/index/internal/icd10gen < icd10cm_tabular_2021.xml > client/index/icd10.txt
//
// Each line is a run of neighbouring categories with the same ancestors: first category,
// last category, and the ancestors from the innermost block to the chapter. Runs, not
// ranges, because C7A stands between C79 and C80 and belongs to neither's block.
package main

import (
	"bufio"
	"encoding/xml"
	"fmt"
	"io"
	"log"
	"os"
	"slices"
	"strings"
)

type tabular struct {
	Version  string `xml:"version"`
	Chapters []struct {
		Desc     string `xml:"desc"`
		Sections []struct {
			ID    string `xml:"id,attr"`
			Diags []struct {
				Name string `xml:"name"`
			} `xml:"diag"`
		} `xml:"section"`
	} `xml:"chapter"`
}

type category struct{ name, ancestors string }

func main() {
	log.SetFlags(0)
	if err := generate(os.Stdin, os.Stdout); err != nil {
		log.Fatalf("icd10gen: %v", err)
	}
}

func generate(r io.Reader, w io.Writer) error {
	var t tabular
	if err := xml.NewDecoder(r).Decode(&t); err != nil {
		return err
	}
	var all []category
	for _, chapter := range t.Chapters {
		// "Neoplasms (C00-D49)"
		desc := strings.TrimSpace(chapter.Desc)
		span := strings.TrimSuffix(desc[strings.LastIndexByte(desc, '(')+1:], ")")
		var ids []string
		for _, s := range chapter.Sections {
			ids = append(ids, s.ID)
		}
		for _, s := range chapter.Sections {
			ancestors := append(outer(s.ID, ids), span)
			for _, d := range s.Diags {
				all = append(all, category{d.Name, strings.Join(ancestors, " ")})
			}
		}
	}
	slices.SortFunc(all, func(a, b category) int { return strings.Compare(a.name, b.name) })

	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "# ICD-10-CM %s, CDC/NCHS and CMS, public domain. Made by internal/icd10gen from the tabular list.\n", t.Version)
	fmt.Fprintln(out, "# first category, last category, ancestors from the innermost block to the chapter")
	for i := 0; i < len(all); {
		j := i
		for j+1 < len(all) && all[j+1].ancestors == all[i].ancestors {
			j++
		}
		fmt.Fprintln(out, all[i].name, all[j].name, all[i].ancestors)
		i = j + 1
	}
	return out.Flush()
}

// outer returns id and the blocks that contain it, innermost first.
func outer(id string, ids []string) []string {
	first, last := ends(id)
	around := []string{id}
	for _, other := range ids {
		f, l := ends(other)
		// A block of one category is not inside one that merely surrounds its letters,
		// such as C7A in C76-C80: the release lists blocks of blocks before their parts,
		// and C76-C80 after C7A.
		if other != id && f <= first && last <= l && slices.Index(ids, other) < slices.Index(ids, id) {
			around = append(around, other)
		}
	}
	slices.SortStableFunc(around[1:], func(a, b string) int {
		fa, la := ends(a)
		fb, lb := ends(b)
		if fa >= fb && la <= lb {
			return -1
		}
		return 1
	})
	return around
}

func ends(id string) (first, last string) {
	first, last, ok := strings.Cut(id, "-")
	if !ok {
		last = first
	}
	return first, last
}
