package cli

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/internal/words"
	"github.com/chartseal/chartseal/client/session"
)

// jobFlags are the flags of commands that can change all records that they select.
type jobFlags struct {
	rate   float64
	dryRun bool
}

func (f *jobFlags) add(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.Float64Var(&f.rate, "rate", 0, "change at most this `number` of records in a second (0 is no limit)")
	fs.BoolVar(&f.dryRun, "dry-run", false, "list the records that would be changed, and change nothing")
}

// startJob shows what a job would change, asks, and runs it.
func (a *app) startJob(ctx context.Context, j client.Job, f jobFlags, yes bool) error {
	j.Rate, j.Started = f.rate, time.Now().UTC().Truncate(time.Second)
	var id [4]byte
	rand.Read(id[:])
	j.ID = hex.EncodeToString(id[:])
	return a.withSession(func(s *session.Session) error {
		if f.dryRun || !yes {
			due, err := s.Client.Due(ctx, j)
			if err != nil {
				return jobHint(err)
			}
			if f.dryRun {
				if a.global.json {
					return a.printJSON(append([]string{}, due...))
				}
				return a.printLines(due)
			}
			if len(due) == 0 {
				a.note("no record of your hospital is selected")
				return nil
			}
			if err := a.confirm(yes, fmt.Sprintf("%s %s?", title(j.Kind), count(len(due), "record", "records"))); err != nil {
				return err
			}
		}
		a.note("job %s: if it is interrupted, 'chartseal job resume %[1]s' goes on", j.ID)
		return a.runJob(ctx, s, &j)
	})
}

func title(word string) string { return strings.ToUpper(word[:1]) + word[1:] }

// runJob runs a job, with a line of progress now and then.
func (a *app) runJob(ctx context.Context, s *session.Session, j *client.Job) error {
	var last time.Time
	err := s.Client.RunJob(ctx, j, func(now client.Job) {
		if time.Since(last) >= 5*time.Second {
			last = time.Now()
			a.note("job %s: %s changed, %d rows of the ledger examined", now.ID, count(now.Changed, "record", "records"), now.Examined)
		}
	})
	if err != nil {
		return jobHint(err)
	}
	return a.printJobs([]client.Job{*j})
}

func jobHint(err error) error { return resealHint(err) }

func (a *app) jobCommand() *cobra.Command {
	return parentCommand("job", "Follow changes of many records", sectionRecords, a.jobStatusCommand(), a.jobResumeCommand())
}

func (a *app) jobStatusCommand() *cobra.Command {
	var left bool
	cmd := &cobra.Command{
		Use:   "status [JOB]",
		Short: "Show jobs, and what is left of them",
		Long: `Status shows the jobs that this wallet has started: 'chartseal reseal --sealed-to', 'revoke
--sealed-to', 'erase --patient' and 'erase --retention'. With --left it looks at the hospital's records
and lists those that a job would still change. That leaves access entries.`,
		Args: takes(0, 1, "one JOB"),
		RunE: a.run(func(ctx context.Context, args []string) error {
			if left && len(args) == 0 {
				return usagef("--left needs the JOB")
			}
			return a.withSession(func(s *session.Session) error {
				jobs, err := loadJobs(s, args)
				if err != nil {
					return err
				}
				if !left {
					return a.printJobs(jobs)
				}
				due, err := s.Client.Due(ctx, jobs[0])
				if err != nil {
					return jobHint(err)
				}
				if a.global.json {
					return a.printJSON(append([]string{}, due...))
				}
				return a.printLines(due)
			})
		}),
	}
	cmd.Flags().BoolVar(&left, "left", false, "list the records that the job would still change")
	return cmd
}

func (a *app) jobResumeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "resume JOB",
		Short: "Go on with a job that was interrupted, or has records left",
		Args:  takes(1, 1, "one JOB"),
		RunE: a.run(func(ctx context.Context, args []string) error {
			return a.withSession(func(s *session.Session) error {
				j, err := s.Client.LoadJob(args[0])
				if err != nil {
					return words.WithHint(err, "'chartseal job status' lists the jobs of this wallet")
				}
				return a.runJob(ctx, s, j)
			})
		}),
	}
}

func loadJobs(s *session.Session, args []string) (jobs []client.Job, err error) {
	ids := args
	if len(ids) == 0 {
		names, err := s.User.Memory().List("jobs")
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if id, ok := strings.CutSuffix(path.Base(name), ".json"); ok {
				ids = append(ids, id)
			}
		}
	}
	for _, id := range ids {
		j, err := s.Client.LoadJob(id)
		if err != nil {
			return nil, words.WithHint(err, "'chartseal job status' lists the jobs of this wallet")
		}
		jobs = append(jobs, *j)
	}
	return jobs, nil
}

func (a *app) printJobs(jobs []client.Job) error {
	if a.global.json {
		return a.printJSON(append([]client.Job{}, jobs...)) // never null
	}
	if len(jobs) == 0 {
		a.note("there are no jobs")
		return nil
	}
	t := newTable("JOB", "KIND", "SELECTS", "STARTED", "ENDED", "CHANGED", "NOT OPENED")
	for _, j := range jobs {
		ended := ""
		if !j.Ended.IsZero() {
			ended = j.Ended.Format(timeText)
		}
		t.row(j.ID, j.Kind, selectionText(j.Select), j.Started.Format(timeText), ended, fmt.Sprint(j.Changed), fmt.Sprint(len(j.Unopened)))
	}
	return a.printTable(t)
}

func selectionText(s client.Selection) string {
	switch {
	case s.Attribute != "":
		return "sealed to " + s.Attribute
	case s.Patient != "":
		return "patient " + s.Patient
	}
	var rules []string
	for _, r := range s.Retention {
		rules = append(rules, fmt.Sprintf("%s after %d years", r.Kind, r.Years))
	}
	return strings.Join(rules, ", ")
}

// retentionRules reads a file of the form
//
//	retention:
//	  - {kind: dicom, years: 10}
//	  - {kind: "*", years: 30}
func (a *app) retentionRules(file string) ([]client.Retention, error) {
	text, err := a.readText(file, 1<<20)
	if err != nil {
		return nil, err
	}
	var rules struct {
		Retention []client.Retention `yaml:"retention"`
	}
	d := yaml.NewDecoder(strings.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&rules); err != nil || len(rules.Retention) == 0 {
		return nil, words.WithHint(usagef("%s has no rules of retention (%v)", file, err), "write them as 'retention: [{kind: dicom, years: 10}, {kind: \"*\", years: 30}]'")
	}
	return rules.Retention, nil
}
