"""The scores against brute force, scipy's assignment and scikit-learn, and their blindness to a cluster's name."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import loadmat
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score, confusion_matrix, f1_score, normalized_mutual_info_score

from scrcl_edu.errors import EvaluationError
from scrcl_edu.evaluation import accuracy, ari, macro_f1, match_clusters, nmi, scores


@st.composite
def assignments(draw):
    """Labels and clusters with as many classes and clusters as come, seldom equally many."""
    n_cells, n_classes, n_clusters = draw(st.integers(1, 60)), draw(st.integers(1, 5)), draw(st.integers(1, 5))
    number = st.integers(0, 2**20)
    labels = np.random.default_rng(draw(number)).integers(n_classes, size=n_cells)
    clusters = np.random.default_rng(draw(number)).integers(n_clusters, size=n_cells)
    agree = np.random.default_rng(draw(number)).random(n_cells) < draw(st.floats(0, 1))
    return labels, np.where(agree, labels, clusters)


@settings(max_examples=60)
@given(assignments())
def test_accuracy_is_the_best_of_all_one_to_one_matchings(tables):
    labels, clusters = tables
    names, classes = np.unique(clusters), list(np.unique(labels))
    classes += [-1] * max(0, len(names) - len(classes))  # a cluster may be left without a class
    best = max(
        np.mean(np.array([dict(zip(names, chosen, strict=False))[c] for c in clusters]) == labels)
        for chosen in itertools.permutations(classes, len(names))
    )
    assert accuracy(labels, clusters) == pytest.approx(best)


@settings(max_examples=60)
@given(assignments())
def test_accuracy_is_scipy_s_assignment_of_the_confusion_matrix(tables):
    labels, clusters = tables
    table = confusion_matrix(labels, clusters, labels=np.arange(5))  # square, with empty rows and columns
    assert accuracy(labels, clusters) == pytest.approx(table[linear_sum_assignment(-table)].sum() / len(labels))


@settings(max_examples=60)
@given(assignments())
def test_matching_gives_each_cluster_one_class_and_the_accuracy(tables):
    labels, clusters = tables
    matching = match_clusters(labels, clusters)
    assert set(matching) <= set(clusters)
    assert set(matching.values()) <= set(labels)
    assert len(set(matching.values())) == len(matching) == min(len(set(labels)), len(set(clusters)))
    right = np.mean([matching.get(cluster) == label for cluster, label in zip(clusters, labels, strict=True)])
    assert accuracy(labels, clusters) == pytest.approx(right)


@settings(max_examples=60)
@given(assignments())
def test_nmi_and_ari_are_scikit_learn_s_and_macro_f1_is_that_after_the_matching(tables):
    labels, clusters = tables
    assert nmi(labels, clusters) == normalized_mutual_info_score(labels, clusters, average_method="arithmetic")
    assert ari(labels, clusters) == adjusted_rand_score(labels, clusters)
    matching = match_clusters(labels, clusters)
    predicted = [matching.get(cluster, -1) for cluster in clusters]
    oracle = f1_score(labels, predicted, labels=np.unique(labels), average="macro", zero_division=0)
    assert macro_f1(labels, clusters) == pytest.approx(oracle)


def test_scores_of_six_cells_are_those_counted_by_hand():
    labels = ["T", "T", "T", "B", "B", "NK"]
    clusters = [7, 7, 4, 4, 4, 4]
    assert match_clusters(labels, clusters) == {7: "T", 4: "B"}
    found = scores(labels, clusters)
    assert found["accuracy"] == pytest.approx(4 / 6)
    # T: precision 2/2, recall 2/3; B: precision 2/4, recall 2/2; NK has no cluster
    assert found["macro_f1"] == pytest.approx((4 / 5 + 2 / 3 + 0) / 3)
    assert found["nmi"] == pytest.approx(normalized_mutual_info_score(labels, clusters))
    assert found["ari"] == pytest.approx(adjusted_rand_score(labels, clusters))
    assert list(found) == ["accuracy", "nmi", "ari", "macro_f1"]
    assert all(type(value) is float for value in found.values())


@settings(max_examples=30)
@given(assignments(), st.permutations(["Beta", "T", "alpha", "B", "NK"]))
def test_no_score_depends_on_what_clusters_are_called(tables, names):
    labels, clusters = tables
    renamed = np.array(names)[clusters]
    for score in (accuracy, nmi, ari):
        assert score(labels, renamed) == pytest.approx(score(labels, clusters))


def test_a_clear_clustering_has_one_macro_f1_under_any_names():
    labels = np.repeat([0, 1, 2], [6, 3, 2])
    clusters = np.array([0] * 5 + [1] * 4 + [2] * 2)  # one matching is best, no other comes near
    value = macro_f1(labels, clusters)
    for names in itertools.permutations(["x", "y", "z"]):
        assert macro_f1(labels, np.array(names)[clusters]) == pytest.approx(value)


def test_perfect_clusters_score_one_whatever_they_are_called():
    labels = pd.Categorical(["b", "a", "c", "a", "b", "c"])
    clusters = pd.Categorical(["10", "2", "0", "2", "10", "0"])
    assert scores(labels, clusters) == pytest.approx({"accuracy": 1, "nmi": 1, "ari": 1, "macro_f1": 1})


@pytest.mark.parametrize(
    ("labels", "clusters", "message"),
    [
        (["a", None, "b", np.nan], [0, 0, 1, 1], "2 of 4 labels are missing; drop these cells"),
        ([1.0, np.nan, 2.0], [0, 0, 1], "1 of 3 labels are missing"),
        (pd.Categorical(["a", None, "b"]), [0, 0, 1], "1 of 3 labels are missing"),
        (["a", "a", "a"], [0, 0, 1], "the labels have 1 class; scores need at least 2"),
        (["a", "b", "a"], [0, 1], "3 labels but 2 clusters; give one of each per cell"),
    ],
)
def test_labels_that_cannot_be_compared_are_explained(labels, clusters, message):
    with pytest.raises(EvaluationError, match=message):
        scores(labels, clusters)


@pytest.mark.shared
def test_released_predictions_score_as_published(shared):
    golden = pd.read_csv(shared / "golden" / "released_predictions_scores.csv")
    assert golden["dataset"].nunique() == 7
    for dataset, rows in golden.groupby("dataset"):
        file = next((shared / "data" / "labels").glob(f"{dataset}.labels*.csv"))
        table = pd.read_csv(file)
        labels = table["groupNo" if dataset == "Zeisel" else "cell_ontology_class"]
        released = loadmat(shared / "data" / "released" / f"pred_label_dict_{dataset}.mat")
        for row in rows.itertuples():
            found = scores(labels, released[str(row.seed)].ravel())
            assert found["accuracy"] == pytest.approx(row.ACC, abs=1e-6)
            assert found["nmi"] == pytest.approx(row.NMI, abs=1e-6)
            assert found["ari"] == pytest.approx(row.ARI, abs=1e-6)


def test_a_label_for_every_cell_is_no_class():
    with pytest.raises(EvaluationError, match="each of the 12 cells has a label of its own"):
        scores(np.arange(12), np.arange(12) % 3)
