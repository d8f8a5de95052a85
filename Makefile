# Two commands for everyone: `make course` runs every lesson, `make test` runs every check. Both set up what they need.
VENV := .venv
RUN := $(VENV)/bin/
ifeq ($(origin PYTHON),undefined)
PYTHON := $(if $(wildcard $(RUN)python),$(RUN)python,python3)
endif
VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
READY := $(VENV)/.ready-$(VERSION)
# uv, where it is there, installs several times faster; it reads the same lock. `UV= make test` takes pip all the same.
UV ?= $(shell command -v uv)
UV_INSTALL = $(UV) pip install --quiet --python $(RUN)python $(addprefix --find-links ,$(PIP_FIND_LINKS))
PIP_INSTALL = $(RUN)python -m pip install --quiet --quiet --disable-pip-version-check
PIP = $(if $(UV),$(UV_INSTALL),$(PIP_INSTALL))
# Without an NVIDIA GPU torch's CPU build saves gigabytes. Its index is asked for torch alone, and only if it answers at
# once: pip would try it, wait and warn for each of forty packages.
TORCH_CPU ?= https://download.pytorch.org/whl/cpu
ANSWERS := import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=3)
LESSONS := $(wildcard notebooks/*.ipynb)
# Where matplotlib keeps its list of fonts: made once, at set-up, and shared with no other checkout or user. Made in the
# middle of a lesson on a busy machine it would say so there, and the lesson would not look as it is stored.
export MPLCONFIGDIR ?= $(CURDIR)/$(VENV)/matplotlib
# nbval of several notebooks at once: two workers with one thread each fill two cores.
export OMP_NUM_THREADS ?= 1
export NUMBA_NUM_THREADS ?= 1

# An extra beside the locked versions, which stay as they are: $(call with,browser).
with = $(PIP) --constraint requirements.lock --no-build-isolation -e ".[$(1)]"
CHROMIUM := $(firstword $(foreach name,chromium chromium-browser google-chrome,$(shell command -v $(name))))

.PHONY: help course test lint lessons bench fuzz links lock clean python site site-test slides
.PHONY: browser-test browser-tasks explore-test grade-test hub-test colab-test torchrun-test
help:
	@echo "make course   set up, then run every lesson (profile fast)"
	@echo "make test     set up, then run every check"
	@echo "make lessons  build the worked lessons and the student edition from notebooks/src"
	@echo "make site     build the site of the worked lessons, offline, into out/site"
	@echo "make site-test     build the site and open it in Chromium"
	@echo "make slides   slides of every lesson and a printable cheat sheet, into out/slides"
	@echo "make browser-test  open lessons in JupyterLab in Chromium; screenshots in out/browser"
	@echo "make browser-tasks  fail and solve every task of the student editions in Chromium (half an hour)"
	@echo "make explore-test  explorables on pages, in JupyterLab and in Firefox; pictures in out/explorables"
	@echo "make grade-test    release, collect and grade a lesson with nbgrader"
	@echo "make hub-test      rehearse a class of eight on a real JupyterHub (as root; needs npm)"
	@echo "make colab-test    install beside Colab's versions and run a lesson under ipywidgets 7"
	@echo "make torchrun-test start several workers by torchrun, and kill some"
	@echo "make bench    measure speed and memory, write benchmarks/results"
	@echo "make fuzz     damage 2,000 files of every kind that is read, and judge what comes back"
	@echo "make links    carry pyproject's Repository into badges, citation and notebooks"
	@echo "make lock     choose exact versions again (requirements.lock, binder/environment.yml)"
	@echo "make clean    remove $(VENV), caches and build outputs"
	@echo "PYTHON=python3.12 make test   uses that Python"

course: $(READY)
	@echo "Running every lesson, profile fast, two at a time."
	@$(RUN)scrcl-edu run --profile fast --jobs 2

test: lint $(if $(CHROMIUM),$(VENV)/.browser)
	@echo "Running the tests and comparing the worked lessons with what they show now."
	@SCRCL_EDU_STRICT=1 $(RUN)python -m pytest -n 2 --dist loadfile tests $(LESSONS) --nbval --nbval-current-env \
		--nbval-cell-timeout 600 --nbval-kernel-startup-timeout 300 --nbval-sanitize-with tests/nbval_sanitize.cfg

lint: $(READY)
	@echo "Checking style, format and types."
	@$(RUN)ruff check
	@$(RUN)ruff format --check
	@$(RUN)mypy --no-error-summary

# Where Chromium is, `make test` opens one lesson in it; without a network its test says why it skips.
$(VENV)/.browser: $(READY)
	@echo "Installing what drives the browser."
	@if $(call with,browser); then touch $@; else echo "It could not be installed; the browser's tests will be skipped."; fi

browser-test: $(READY)
	@test -n "$(CHROMIUM)" || { echo "There is no Chromium here. On Debian and Ubuntu: apt-get install chromium"; exit 1; }
	@$(call with,browser)
	@echo "Opening lessons 00, 02, 05 and 08 in JupyterLab; screenshots go to out/browser."
	@SCRCL_EDU_BROWSER_LESSONS=00,02,05,08 $(RUN)python -m pytest tests/test_browser.py

browser-tasks: $(READY)
	@test -n "$(CHROMIUM)" || { echo "There is no Chromium here. On Debian and Ubuntu: apt-get install chromium"; exit 1; }
	@$(call with,browser)
	@echo "Failing and solving every task of every student edition in JupyterLab (half an hour); see out/browser/tasks."
	@SCRCL_EDU_BROWSER_TASKS=$${SCRCL_EDU_BROWSER_TASKS:-all} $(RUN)python -m pytest tests/test_browser_tasks.py

# Firefox, axe-core and its npm are looked for; where one is missing its checks say so and are skipped.
explore-test: $(READY)
	@test -n "$(CHROMIUM)" || { echo "There is no Chromium here. On Debian and Ubuntu: apt-get install chromium"; exit 1; }
	@$(call with,browser)
	@if command -v npm >/dev/null; then mkdir -p out/axe && npm install --silent --prefix out/axe axe-core@4; fi
	@echo "Opening the explorables on pages, in JupyterLab and in Firefox (some minutes); pictures go to out/explorables."
	@SCRCL_EDU_EXPLORE=1 $(RUN)python -m pytest tests/test_explorables.py tests/test_explorables_everywhere.py

grade-test: $(READY)
	@$(call with,grade)
	@echo "Releasing, collecting and grading a lesson with nbgrader."
	@$(RUN)python -m pytest tests/test_nbgrader.py

hub-test: $(READY)
	@$(call with,hub)
	@mkdir -p out/hub && npm install --silent --prefix out/hub configurable-http-proxy@5
	@echo "Rehearsing a class of eight on a JupyterHub of its own (some minutes); its log is out/hub/hub.log."
	@$(RUN)python tests/hub.py --keep

colab-test: | python
	@echo "Installing beside Colab's versions into out/colab (some minutes), then running a lesson under ipywidgets 7."
	@$(PYTHON) tests/colab.py

torchrun-test: $(READY)
	@echo "Starting workers by torchrun, and killing some (a minute or two)."
	@SCRCL_EDU_TORCHRUN=1 $(RUN)python -m pytest tests/test_torchrun.py

site: $(READY)
	@$(call with,site)
	@echo "Building the site from the worked lessons as they are stored."
	@$(RUN)python docs/build_site.py

site-test: site
	@test -n "$(CHROMIUM)" || { echo "There is no Chromium here. On Debian and Ubuntu: apt-get install chromium"; exit 1; }
	@$(call with,browser)
	@if command -v npm >/dev/null; then mkdir -p out/axe && npm install --silent --prefix out/axe axe-core@4; fi
	@echo "Opening the site in Chromium, and asking axe-core about it where npm is."
	@SCRCL_EDU_SITE=out/site $(RUN)python -m pytest tests/test_site.py

slides: $(READY)
	@echo "Making slides of every lesson and the cheat sheet into out/slides."
	@$(RUN)python docs/slides.py

lessons: $(READY)
	@$(RUN)scrcl-edu build

bench: $(READY)
	@$(RUN)python -m benchmarks

fuzz: $(READY)
	@$(RUN)python -m benchmarks.fuzz

links: $(READY)
	@$(RUN)python -m scrcl_edu.course.links

# torch is left out with the CUDA packages that it would bring; it is installed first, from requirements-torch.txt.
lock: | python
	@echo "Choosing exact versions for Python 3.11 to 3.13."
	@test -x $(RUN)python || $(PYTHON) -m venv $(VENV)
	@$(PIP) "uv>=0.5"
	@$(RUN)uv pip compile --quiet --upgrade --universal --fork-strategy fewest --no-header --no-annotate \
		--python-version 3.11 --constraint requirements-torch.txt --extra course --extra data --extra test pyproject.toml \
		| grep -vE '^(torch|triton|nvidia-.*|cuda-.*)==' > $(VENV)/lock
	@mv $(VENV)/lock requirements.lock
	@$(RUN)uv pip compile --quiet --no-header --no-annotate --python-version 3.12 --python-platform linux \
		--constraint requirements.lock --constraint requirements-torch.txt --extra course pyproject.toml \
		| $(RUN)python binder/write_environment.py

clean:
	@rm -rf $(VENV) build dist out .pytest_cache .ruff_cache .mypy_cache .hypothesis
	@find . -name __pycache__ -type d -not -path './node_modules/*' -exec rm -rf {} +

python:
	@command -v $(PYTHON) >/dev/null || { echo "There is no $(PYTHON) here. Install Python 3.11, 3.12 or 3.13, or name one: PYTHON=/path/to/python3.12 make test"; exit 1; }
	@case "$(VERSION)" in 3.11|3.12|3.13) ;; *) echo "$(PYTHON) is Python $(VERSION); scrcl_edu needs 3.11, 3.12 or 3.13. Name one: PYTHON=python3.12 make test"; exit 1;; esac
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make virtual environments. On Debian and Ubuntu: apt-get install python$(VERSION)-venv"; exit 1; }

$(READY): requirements.lock requirements-torch.txt pyproject.toml | python
	@test -x $(RUN)python && $(RUN)python -c 'import sys; sys.exit("%d.%d" % sys.version_info[:2] != "$(VERSION)")' \
		|| { echo "Making $(VENV) with Python $(VERSION)."; $(PYTHON) -m venv --clear $(VENV); }
	@echo "Installing torch into $(VENV) (some minutes the first time)."
	@if nvidia-smi >/dev/null 2>&1; then from=; \
	elif $(RUN)python -c '$(ANSWERS)' $(TORCH_CPU)/torch/ 2>/dev/null; then from="--no-deps --index-url $(TORCH_CPU)"; \
	else from=; echo "The index of torch's CPU builds does not answer; torch comes from where everything else does."; fi; \
	$(PIP) -r requirements-torch.txt --constraint requirements.lock $$from
	@echo "Installing the exact versions of requirements.lock."
	@$(PIP) -r requirements.lock
	@$(PIP) --no-deps --no-build-isolation -e .
	@$(RUN)python -c 'import matplotlib.font_manager' 2>/dev/null
	@touch $@
