"""Explorables without Jupyter: one page on a server of this machine alone, or in a file."""

from __future__ import annotations

import http.server
import webbrowser
from collections.abc import Callable, Sequence

from scrcl_edu.errors import SettingsError
from scrcl_edu.explorables.bundling import page

# The page may run and draw what it holds; it may ask nobody for anything.
POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"


def serve(
    names: Sequence[str], *, port: int = 8766, browser: bool = True, report: Callable[[str], None] = print
) -> None:
    """Show some explorables until Ctrl-C.

    Parameters
    ----------
    names
        Which.
    port
        On the loopback address; 0 takes any that is free.
    browser
        Also open a browser.
    report
        Called with the address.

    Raises
    ------
    SettingsError
        When the port is taken.
    """
    try:
        server = server_of(names, port)
    except OSError as error:
        raise SettingsError(f"port {port} cannot be used ({error.strerror}); choose another, or 0 for any") from error
    with server:
        address = f"http://127.0.0.1:{server.server_address[1]}/"
        report(f"{address}  (Ctrl-C ends it)")
        if browser:
            webbrowser.open(address)
        server.serve_forever()


def server_of(names: Sequence[str], port: int) -> http.server.ThreadingHTTPServer:
    """A server of the one page that holds some explorables."""
    text = page(names).encode()

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path != "/":
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(text)))
            self.send_header("Content-Security-Policy", POLICY)
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            pass

    return http.server.ThreadingHTTPServer(("127.0.0.1", port), Page)
