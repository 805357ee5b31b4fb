package durable_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// server is a PostgreSQL server on a directory and a port of its own.
type server struct {
	dir  string
	port int
	proc *exec.Cmd
	log  *os.File
}

func newServer() (*server, error) {
	initdb, err := postgresBinary("initdb")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "durable-postgres-")
	if err != nil {
		return nil, err
	}
	s := &server{dir: dir}
	cmd, err := s.command(initdb, "-D", s.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	if err == nil {
		var out []byte
		if out, err = cmd.CombinedOutput(); err != nil {
			err = fmt.Errorf("initdb: %w: %s", err, bytes.TrimSpace(out))
		}
	}
	if err == nil {
		err = s.start()
	}
	if err != nil {
		s.remove()
		return nil, err
	}
	return s, nil
}

func (s *server) data() string { return filepath.Join(s.dir, "data") }

// command is exec.Command as a user that PostgreSQL agrees to run as.
func (s *server) command(name string, args ...string) (*exec.Cmd, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = s.dir
	if os.Geteuid() != 0 {
		return cmd, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	return cmd, os.Chown(s.dir, int(uid), int(gid))
}

// start starts the server, on the port that it had before, if any, and waits
// until it answers.
func (s *server) start() error {
	if s.port == 0 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		s.port = l.Addr().(*net.TCPAddr).Port
		_ = l.Close()
	}
	postgres, err := postgresBinary("postgres")
	if err != nil {
		return err
	}
	cmd, err := s.command(postgres, "-D", s.data(), "-p", strconv.Itoa(s.port), "-k", s.dir,
		"-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "max_connections=200")
	if err != nil {
		return err
	}
	if s.log, err = os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		return err
	}
	cmd.Stdout, cmd.Stderr = s.log, s.log
	if err := cmd.Start(); err != nil {
		return err
	}
	s.proc = cmd
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for tick := time.Tick(20 * time.Millisecond); ; {
		conn, err := pgx.Connect(ctx, s.url("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-tick:
		case <-ctx.Done():
			log, _ := os.ReadFile(s.log.Name())
			return fmt.Errorf("postgres doesn't answer: %w: %s", err, log)
		}
	}
}

// stop stops the server at once, with all its sessions.
func (s *server) stop() {
	if s.proc != nil {
		_ = s.proc.Process.Signal(syscall.SIGINT)
		_ = s.proc.Wait()
		_ = s.log.Close()
	}
	s.proc = nil
}

func (s *server) remove() {
	s.stop()
	_ = os.RemoveAll(s.dir)
}

func (s *server) url(database string) string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s?sslmode=disable", s.port, database)
}

// database makes an empty one and returns its URL.
func (s *server) database(tb testing.TB) string {
	tb.Helper()
	conn, err := pgx.Connect(tb.Context(), s.url("postgres"))
	if err != nil {
		tb.Fatal(err)
	}
	name := fmt.Sprintf("test_%d", shared.n.Add(1))
	if _, err := conn.Exec(tb.Context(), "CREATE DATABASE "+name); err != nil {
		tb.Fatal(err)
	}
	if err := conn.Close(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return s.url(name)
}
