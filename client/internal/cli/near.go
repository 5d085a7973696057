package cli

import "github.com/chartseal/chartseal/client/internal/words"

func nearest(name string, candidates []string) string { return words.Nearest(name, candidates) }

func list(names []string) string { return words.List(names) }
